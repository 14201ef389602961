import keras
import numpy as np

import nbpainter


def test_a_discriminator_learns_to_tell_calm_from_real(generator, tiny):
    keras.utils.set_random_seed(0)
    fake = nbpainter.generate_episodes(generator, len(tiny), seed=5)
    train = nbpainter.JudgedStrokes(tiny[:320], fake[:320], generator, 32, 0)
    test = nbpainter.JudgedStrokes(tiny[320:], fake[320:], generator, 32)
    judge = nbpainter.build_discriminator()
    nbpainter.compile_discriminator(judge, 1e-3, 60)
    judge.fit(train, epochs=3, verbose=0)
    figures = nbpainter.measure_discriminator(judge, test)
    assert figures["accuracy"] > 0.9
    maps = nbpainter.find_suspicious(judge, *(x[:3] for x in test[0][0]))
    assert maps.shape == (3, 64, 64, 3)
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_calibration_of_a_judge_that_knows_nothing(tiny, generator):
    judge = nbpainter.build_discriminator(width=2)
    judge.layers[-1].kernel.assign(np.zeros((64, 1)))
    batches = nbpainter.JudgedStrokes(tiny[:8], tiny[8:16], generator, 16)
    figures = nbpainter.measure_discriminator(judge, batches)
    assert figures == {
        "accuracy": 0.5,
        "calibration_error": 0.0,
        "calibration": [[0.5, 0.5, 16]],
    }


def test_the_shipped_judges_know_real_strokes(tiny, generator):
    judge = nbpainter.load_pretrained("discriminator_pretrained")
    fake = nbpainter.generate_episodes(generator, 100, seed=3)
    batches = nbpainter.JudgedStrokes(tiny[:100], fake, generator, 50)
    assert nbpainter.measure_discriminator(judge, batches)["accuracy"] > 0.95
    final = nbpainter.load_pretrained("discriminator_gan")
    assert final.count_params() == judge.count_params() == 78_705
