"""Pictures: what is drawn is legible, complete and the same in every run."""

import random
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from eingrad import _picture
from eingrad._picture import Circle, Diagram, Line, Network, Text, Vertex, draw, svg

SVG = "{http://www.w3.org/2000/svg}"


def random_tree(count, seed=0):
    rng = random.Random(seed)
    vertices = [Vertex(f"operand{n}", size=10) for n in range(count)]
    live = list(range(count))
    while len(live) > 1:
        k = rng.randrange(len(live) - 1)
        cost = int(10 ** rng.uniform(0, 8))
        pair = (live[k], live[k + 1])
        vertices.append(Vertex("abc,cd->abd", pair, cost, 100, rng.choice(["", "forward"])))
        live[k : k + 2] = [len(vertices) - 1]
    return Diagram("a tree", tuple(vertices), ("circles: flops",))


def random_dag(count, seed=0):
    rng = random.Random(seed)
    vertices = [Vertex(f"x{n}") for n in range(3)]
    while len(vertices) < count:
        below = tuple(rng.sample(range(len(vertices)), 2))
        vertices.append(Vertex("i,i->i", below, rng.randrange(100)))
    return Diagram("shared", tuple(vertices))


def ring(count):
    operands = [(f"A{n}", (f"b{n}", f"b{(n + 1) % count}", f"p{n}", "h")) for n in range(count)]
    sizes = {index: 7 for _, term in operands for index in term}
    return Network("a ring", tuple(operands), tuple(f"p{n}" for n in range(count)), sizes)


DRAWINGS = [
    *(make(count) for make in (random_tree, random_dag, ring) for count in (5, 20, 60)),
    Diagram("nothing", ()),
    Diagram("one", (Vertex("x"),)),
    Network("one", (("A", ("i", "i")),), (), {"i": 3}),
    Network("apart", (("A", ()), ("B", ("i",)), ("C", ("i", "j"))), ("i",), {}),
    Network("nothing", (), (), {}),
]


@pytest.fixture(params=DRAWINGS, ids=lambda d: f"{d.title}")
def drawing(request):
    return request.param


def parsed(text):
    return ET.fromstring(text)


def test_svg_is_well_formed_and_on_a_white_page(drawing):
    root = parsed(svg(draw(drawing)))
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}rect").get("fill") == "#ffffff"


def test_drawing_twice_gives_the_same_text(drawing):
    assert svg(draw(drawing)) == svg(draw(drawing))


def test_nothing_lies_outside_of_the_page(drawing):
    picture = draw(drawing)
    for shape in picture.shapes:
        match shape:
            case Line(points=points):
                corners = points
            case Circle(x=x, y=y, radius=r):
                corners = [(x - r, y - r), (x + r, y + r)]
            case Text(box=box):
                corners = [(box.left, box.top), (box.right, box.bottom)]
        for x, y in corners:
            assert 0 <= x <= picture.width
            assert 0 <= y <= picture.height


def test_no_two_circles_or_texts_touch(drawing):
    picture = draw(drawing)
    discs = [s for s in picture.shapes if isinstance(s, Circle)]
    for n, a in enumerate(discs):
        for b in discs[:n]:
            assert (a.x - b.x) ** 2 + (a.y - b.y) ** 2 > (a.radius + b.radius) ** 2
    boxes = [s.box for s in picture.shapes if isinstance(s, Text)]
    for n, a in enumerate(boxes):
        for b in boxes[:n]:
            is_beside = a.right <= b.left or b.right <= a.left
            assert is_beside or a.bottom <= b.top + 1e-9 or b.bottom <= a.top + 1e-9


def test_every_vertex_is_drawn_with_its_label():
    diagram = random_tree(20)
    tips = [s.tip for s in draw(diagram).shapes if isinstance(s, Circle) and s.tip]
    assert len(tips) == len(diagram.vertices)
    assert all(v.label in tip for v, tip in zip(diagram.vertices, tips, strict=True))


def test_every_operand_and_index_is_drawn():
    picture = draw(ring(5))
    tips = {s.tip for s in picture.shapes if isinstance(s, Circle)}
    texts = {s.text for s in picture.shapes if isinstance(s, Text)}
    assert {"A0: b0, b1, p0, h", "h"} <= tips
    assert {*(f"b{n}=7" for n in range(5)), *(f"p{n}=7" for n in range(5)), "h=7"} <= texts


def side(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def crosses(a, b, c, d):
    """Whether two segments cross, touching ends apart."""
    return side(a, b, c) * side(a, b, d) < -1e-6 and side(c, d, a) * side(c, d, b) < -1e-6


@pytest.mark.parametrize("seed", range(5))
def test_no_lines_of_a_tree_cross(seed):
    lines = [s for s in draw(random_tree(24, seed)).shapes if isinstance(s, Line)]
    pieces = [piece for line in lines for piece in zip(line.points, line.points[1:], strict=False)]
    assert not any(crosses(*a, *b) for n, a in enumerate(pieces) for b in pieces[:n])


def test_area_grows_with_the_share_of_the_cost():
    vertices = (Vertex("a"), Vertex("b", (0,), 1), Vertex("c", (1,), 100), Vertex("d", (2,), 10000))
    discs = [
        s.radius for s in draw(Diagram("", vertices)).shapes if isinstance(s, Circle) and s.tip
    ]
    least = discs[0]
    grown = [radius - least for radius in discs[1:]]
    assert grown[1] == pytest.approx(10 * grown[0])
    assert grown[2] == pytest.approx(10 * grown[1])


def test_circles_that_are_close_shrink():
    leaves = tuple(Vertex(f"x{n}") for n in range(60))
    costly = tuple(Vertex("", (n,), 5) for n in range(2))
    joined = Vertex("", (60, 61, *range(2, 60)), 1)
    discs = [
        s for s in draw(Diagram("", (*leaves, *costly, joined))).shapes if isinstance(s, Circle)
    ]
    a, b = (disc for disc in discs if disc.tip.startswith(", 5"))
    assert a.radius + b.radius < abs(a.x - b.x)


def test_operands_keep_their_order_where_no_lines_cross():
    vertices = (Vertex("a"), Vertex("b"), Vertex("c"), Vertex("d", (1, 2)), Vertex("e", (3, 0)))
    discs = [s for s in draw(Diagram("", vertices)).shapes if isinstance(s, Circle) and s.tip]
    a, b, c = (disc.x for disc in discs[:3])
    assert a < b < c


def test_labels_are_escaped():
    label = '<b> & "quoted"\x00\n'
    root = parsed(svg(draw(Diagram(label, (Vertex(label), Vertex("->", (0,)))))))
    assert root.find(f"{SVG}title").text == '<b> & "quoted"  '
    assert any(text.text.startswith("<b> &") for text in root.iter(f"{SVG}text"))


@pytest.mark.parametrize(
    ("vertex", "message"),
    [
        (
            Vertex("a", (0,)),
            "vertex 0 ('a') is computed from (0,); these must be numbers of vertices before it",
        ),
        (
            Vertex("a", kind="blue"),
            "vertex 0 ('a') is of kind 'blue'; use one of " + ", ".join(map(repr, _picture.KINDS)),
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(vertex, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Diagram("", (vertex,))


def test_saving(tmp_path):
    picture = draw(random_tree(5))
    _picture.save(picture, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text("utf-8") == svg(picture)
    message = "a picture cannot be saved as '.jpg' ('a.jpg'); let the name end with .svg or .png"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        _picture.save(picture, tmp_path / "a.jpg")


def test_png(tmp_path):
    pytest.importorskip("matplotlib")
    _picture.save(draw(random_tree(5)), str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_png_without_matplotlib_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'eingrad\[plot\]', or save an SVG"):
        _picture.png(draw(random_tree(5)), tmp_path / "a.png")


def test_drawing_imports_no_matplotlib():
    code = "import eingrad._picture, sys; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
