"""What a brush's generator starts with: the numbers of its own file."""

import numpy as np

from nbpainter.models.brush_field import KNOTS

_SPEED = 1.5  # Radii a second, of the usual stroke.
_NUM_DABS = 1536  # Of a random draw, at most; a brush may have fewer.


def setting(settings, name, pressure=KNOTS, default=0.0):
    """Value of a brush's setting at each pressure.

    Args:
        settings: dict, a brush file's JSON.
        name: str, such as `"opaque"`.
        pressure: float array, pen pressures.
        default: float, if the file does not have it.

    Returns:
        A float array with the shape of `pressure`: the base value and the
        curve of the pressure.
    """
    value = settings["settings"].get(name)
    if value is None:
        return np.full(np.shape(pressure), default)
    total = np.full(np.shape(pressure), float(value["base_value"]))
    points = value["inputs"].get("pressure")
    if points:
        total = total + np.interp(pressure, *np.transpose(points))
    return total


def _with_speed(settings, name, default=0.0):
    """As `setting`, with what the usual speed of the pen adds to it."""
    total = setting(settings, name, default=default)
    for source in ("speed1", "speed2"):
        points = _inputs(settings, name).get(source)
        if points:
            grown = np.exp(setting(settings, f"{source}_gamma", 0.0, 4.0))
            # libmypaint's mapping of the speed, in radii a second.
            slope = 0.015 * (45 + grown)
            x = slope * np.log((grown + _SPEED) / (45 + grown)) + 0.5
            (x0, y0), (x1, y1) = points[:2]
            total = total + y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return total


def start_dabs(dabs, settings):
    """Set the dabs of a random draw to the numbers of a brush file.

    The formulas are libmypaint 1.6's (`mypaint-brush.c`).

    Args:
        dabs: `BrushDabs`.
        settings: dict, a brush file's JSON with its `radius_factor`.
    """
    base = settings["radius_factor"]
    growth = _with_speed(settings, "radius_logarithmic")
    growth = growth - settings["settings"]["radius_logarithmic"]["base_value"]
    per_radius, per_basic, per_second = (
        float(setting(settings, name, 0.0, default))
        for name, default in (
            ("dabs_per_actual_radius", 2.0),
            ("dabs_per_basic_radius", 0.0),
            ("dabs_per_second", 0.0),
        )
    )
    opacity = _with_speed(settings, "opaque", 1.0)
    multiply = setting(settings, "opaque_multiply")
    if "opaque_multiply" not in settings["settings"]:
        multiply = KNOTS
    opacity = np.clip(opacity * multiply, 0, 1)
    # Some brushes say how opaque the whole stroke is, and not the dab.
    linear = setting(settings, "opaque_linearize", 0.0, 0.9)
    layers = 1 + linear * (max(1.0, 2 * (per_radius + per_basic)) - 1)
    opacity = 1 - (1 - opacity) ** (1 / layers)
    aside = np.clip(_with_speed(settings, "offset_by_random"), 0, None)
    hardness = np.clip(_with_speed(settings, "hardness", 0.8), 0, 1)
    for name, value in {
        "log_radius": np.log(base) + growth,
        "aside": base * aside,
        "opacity": opacity,
        "hardness": hardness,
        "jitter": setting(settings, "radius_by_random", 0.0),
        "per_radius": per_radius,
        "per_basic_radius": per_basic,
        "per_second": per_second,
        "basic_radius": base,
        "fade": setting(settings, "anti_aliasing", 0.0, 1.0),
    }.items():
        getattr(dabs, name).assign(value)


def _inputs(settings, name):
    return settings["settings"].get(name, {}).get("inputs", {})


def generator_arguments(settings):
    """Choose the arguments of `build_brush_generator` for a brush.

    A brush whose dabs are moved or sized at random gets a noise input, but
    not one with a broad nib: `BrushDabs` are round. That one's generator
    draws the calm stroke alone, however random the brush.

    Args:
        settings: dict, a brush file's JSON.

    Returns:
        A dict of keyword arguments.
    """
    arguments = {}
    ratio = setting(settings, "elliptical_dab_ratio", 0.0, 1.0)
    if ratio > 1.5:
        arguments["num_nib"] = int(np.clip(round(2.2 * float(ratio)), 5, 12))
        arguments["num_points"] = 64
        if "direction" in _inputs(settings, "elliptical_dab_angle"):
            arguments["nib_follows"] = True
    elif any(
        np.any(setting(settings, name) > 0)
        for name in ("offset_by_random", "radius_by_random")
    ):
        arguments["num_dabs"] = _NUM_DABS
    return arguments


def start_from_settings(generator, settings):
    """Set a generator's field to the numbers of a brush file.

    Args:
        generator: a model of `build_brush_generator`, not trained yet.
        settings: dict, a brush file's JSON with its `radius_factor`.
    """
    field = generator.field
    if generator.noise_shape is not None:
        start_dabs(generator.dabs, settings)
    base = settings["radius_factor"]
    points = _inputs(settings, "radius_logarithmic").get("pressure")
    growth = np.interp(KNOTS, *np.transpose(points)) if points else 0 * KNOTS
    dab = base * np.exp(growth)
    ratio = float(setting(settings, "elliptical_dab_ratio", 0.0, 1.0))
    spread = base * setting(settings, "offset_by_random")
    steps = np.linspace(0, 1, field.num_maps)[:, None]
    thin = dab / max(1.0, ratio)
    width = np.where(
        ratio > 1.5, (0.5 + steps) * thin, (0.25 + 0.35 * steps) * dab
    )
    width = np.hypot(width, steps * spread)
    field.log_width.assign(np.log(np.clip(width, 0.05, 10.0)))
    opaque = setting(settings, "opaque", default=1.0)
    # A brush without a curve of its own has libmypaint's.
    multiply = setting(settings, "opaque_multiply")
    opacity = np.clip(opaque * multiply, 0, 2) + 0.02
    field.log_mass.assign(
        np.log(10 * opacity * dab**2 / np.clip(width, 0.3, None) / ratio)
    )
    dabs = setting(settings, "dabs_per_actual_radius", 0.0, 2.0)
    dabs = float(dabs + setting(settings, "dabs_per_basic_radius", 0.0))
    lag = 0.1 + float(setting(settings, "slow_tracking_per_dab", 0.0))
    field.log_lag.assign(np.log(base * lag / max(1.0, dabs)))
    per_second = float(setting(settings, "dabs_per_second", 0.0))
    field.log_haste.assign(np.log((1 + 10 * per_second) / lag))
    # Most pixels are blank; paint is opaque.
    generator.logit.bias.assign([-1.0, 2.0])
    if field.num_nib > 1:
        angle = float(setting(settings, "elliptical_dab_angle", 0.0, 90.0))
        field.nib_angle.assign(np.deg2rad(angle))
        field.log_nib_ratio.assign(np.log(ratio))
        field.log_nib.assign(np.log(dab))
