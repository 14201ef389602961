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
    fake = nbpainter.generate_episodes(generator, len(tiny), seed=3)
    batches = nbpainter.JudgedStrokes(tiny, fake, batch_size=50)
    assert nbpainter.measure_discriminator(judge, batches)["accuracy"] > 0.95
    metrics = nbpainter.read_manifest()["discriminator_pretrained"]
    assert metrics["accuracy"] > 0.95
    assert metrics["calibration_error"] <= 0.03
    final = nbpainter.load_pretrained("discriminator_gan")
    assert final.count_params() == 78_705
    # Nine weights fewer for each of 16 channels: it sees no calm stroke.
    assert judge.count_params() == 78_705 - 9 * 16


def test_without_calm_strokes_only_the_stroke_counts(tiny, generator):
    keras.utils.set_random_seed(0)
    judge = nbpainter.build_discriminator(width=2, conditional=False)
    strokes, labels = nbpainter.JudgedStrokes(tiny[:8], tiny[8:16])[0]
    assert labels[:, 0].tolist() == [1] * 8 + [0] * 8
    logits = judge(strokes, training=False)
    recolored = strokes * [0, 1, 0.5, 1]
    np.testing.assert_allclose(judge(recolored, training=False), logits)
    maps = nbpainter.find_suspicious(judge, strokes)
    assert maps.shape == (16, 64, 64, 3)
    both = nbpainter.JudgedStrokes(tiny[:8], tiny[8:16], generator)
    (beside, calm), _ = both[0]
    np.testing.assert_array_equal(beside, strokes)
    actions = np.concatenate([tiny.actions[:8], tiny.actions[8:16]])
    drawn = nbpainter.render_strokes(generator, actions)
    np.testing.assert_allclose(calm, drawn, atol=1e-5)
