from pathlib import Path

from PIL import Image

from ssv2a.soundbank.gallery import PAGE, write_gallery
from ssv2a.soundbank.models import all_models

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_in_the_docs_has_every_model_and_its_picture():
    page = (DOCS / PAGE).read_text()
    for name, model in all_models().items():
        assert f"`{name}` | {model.sound} | {model.kind} | {model.physics} |" in page
        assert (DOCS / "images" / "gallery" / f"{name.partition('.')[0]}.webp").is_file()


def test_a_gallery_is_written_the_same_again(tmp_path):
    few = {name: model for name, model in all_models().items() if name.startswith("aircraft.")}
    for folder in ("a", "b"):
        write_gallery(tmp_path / folder, few)
    pictures = [tmp_path / folder / "images" / "gallery" / "aircraft.webp" for folder in ("a", "b")]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    with Image.open(pictures[0]) as picture:
        assert picture.size == (3 * 248, 120)
