"""The loss of a run as a picture: integers and floating point side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 320, 56, 40
COLOURS = {"integers": "#0f766e", "floating point": "#b45309"}


def loss_curve(title: str, integers: Sequence[float], floats: Sequence[float]) -> str:
    """An SVG document of both losses by epoch.

    Args:
        title: of the picture.
        integers: mean loss of each epoch, at least one.
        floats: the same in floating point, of equal length.
    """
    top = max(*integers, *floats, 1e-9)
    right, up = WIDTH - 16, 36

    def place(epoch: int, loss: float) -> str:
        x = LEFT + (right - LEFT) * epoch / max(1, len(integers) - 1)
        y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - up) * loss / top
        return f"{x:.1f},{y:.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}: mean loss by epoch" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" fill="#111827">{escape(title)}: mean loss by epoch</text>',
        f'<path d="M{LEFT},{up} V{HEIGHT - BOTTOM} H{right}" fill="none" stroke="#6b7280"/>',
        f'<text x="{LEFT - 8}" y="{up + 4}" text-anchor="end" fill="#374151">{top:.3g}</text>',
        f'<text x="{LEFT - 8}" y="{HEIGHT - BOTTOM}" text-anchor="end" fill="#374151">0</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 16}" fill="#374151">epoch 1</text>',
        f'<text x="{right}" y="{HEIGHT - 16}" text-anchor="end" fill="#374151">{len(integers)}</text>',
    ]
    for number, (name, losses) in enumerate((("floating point", floats), ("integers", integers))):
        points = " ".join(place(epoch, loss) for epoch, loss in enumerate(losses))
        dash = ' stroke-dasharray="6 4"' if name == "floating point" else ""
        colour = COLOURS[name]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        y = up + 14 + 18 * number
        lines.append(f'<path d="M{right - 150},{y} h24" stroke="{colour}" stroke-width="2"{dash}/>')
        lines.append(f'<text x="{right - 120}" y="{y + 4}" fill="#111827">{name}: {losses[-1]:.4f}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
