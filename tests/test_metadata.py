"""What a file declares is found, wherever it stands; what is damaged or hostile is named and survives."""

from __future__ import annotations

import io
import json
import zlib

import pytest
from PIL import Image, PngImagePlugin

from assay.authenticity.metadata import metadata
from assay.ops import declared, embedded, exif, xmp
from assay.types import BadInput, CannotAssess
from files import (
    CAMERA,
    EXPOSURE,
    FRACTION,
    TEXT,
    damaged,
    encoded,
    photo,
    picture,
    says,
    scene,
    segment,
    survives,
    with_segments,
    xmp_segment,
)
from files import exif as exif_block
from files import xmp as packet

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def pointed(finding):
    return {(e.points_to, e.weight) for e in finding.evidence if e.points_to}


def test_a_camera_file_is_hinted_as_original():
    found = metadata(picture(photo()))
    assert pointed(found) == {("camera original", "hint")}
    assert says(found, "Complete camera data (Canon EOS 5D)").caveat
    assert found.data["camera"]["model"] == "Canon EOS 5D"
    assert found.data["exposure"] == pytest.approx({"exposure_time": 1 / 125, "f_number": 5.6, "iso": 200})
    assert found.data["maker_note_bytes"] == len(EXPOSURE[37500][1])


def test_every_finding_is_json():
    json.dumps(metadata(picture(photo())).data, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("Adobe Photoshop 25.1 (Windows)", "an image editor"),
        ("GIMP 2.10.34", "an image editor"),
        ("Snapseed 2.0", "an image editor"),
        ("Adobe Lightroom Classic 13.0", "a raw converter"),
        ("darktable 4.4.2", "a raw converter"),
        ("ACD Systems Digital Imaging", "a photo manager"),
        ("ImageMagick 7.1", "a software library"),
    ],
)
def test_software_that_saved_the_file_hints_at_editing(name, who):
    found = metadata(picture(photo(zeroth={305: (TEXT, name)})))
    assert says(found, name).points_to == "edited"
    assert who in says(found, name).says
    assert pointed(found) == {("edited", "hint")}


@pytest.mark.parametrize("name", ["17.5.1", "Ver.1.10", "Canon EOS 5D", "G991BXXU3AUGM", "HDR+ 1.0.540104767zdh", "Firmware Version 1.1.1"])
def test_a_cameras_own_firmware_is_no_editor(name):
    assert pointed(metadata(picture(photo(zeroth={305: (TEXT, name)})))) == {("camera original", "hint")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zeroth": {306: (TEXT, "2020:02:02 03:04:05")}}, "changed after the picture was taken"),
        ({"exposure": {40962: (4, 4000), 40963: (4, 3000)}}, "resized or cropped since"),
    ],
)
def test_contradictions_hint_at_editing(change, words):
    found = metadata(picture(photo(**change)))
    assert says(found, words).points_to == "edited"
    assert len(found.data["conflicts"]) == 1
    assert ("camera original", "hint") not in pointed(found)


def test_another_size_and_the_program_that_saved_it_are_strong_together():
    size = {40962: (4, 4000), 40963: (4, 3000)}
    found = metadata(picture(photo(zeroth={305: (TEXT, "Adobe Photoshop 7.0")}, exposure=size)))
    assert "and “Adobe Photoshop 7.0” saved it" in says(found, "resized or cropped").says
    assert says(found, "resized or cropped").weight == "strong"
    assert says(metadata(picture(photo(exposure=size))), "resized or cropped").weight == "hint"


def test_a_turned_picture_is_only_noted():
    found = metadata(picture(photo(exposure={40962: (4, 240), 40963: (4, 320)})))
    assert says(found, "turned since").points_to is None
    assert pointed(found) == set()


def test_a_missing_maker_note_is_noted():
    block = exif_block(CAMERA, {k: v for k, v in EXPOSURE.items() if k != 37500})
    found = metadata(picture(with_segments(encoded(scene()), segment(0xE1, block))))
    assert says(found, "maker note is missing").weight == "note"


def test_the_position_is_told_only_when_asked():
    gps = {1: (TEXT, "S"), 2: (FRACTION, [(33, 1), (51, 1), (36, 1)]), 3: (TEXT, "E"), 4: (FRACTION, [(151, 1), (12, 1), (0, 1)])}
    file = picture(with_segments(encoded(scene()), segment(0xE1, exif_block(CAMERA, EXPOSURE, gps))))
    found = metadata(file)
    assert found.data["gps"] is True
    assert "33" not in json.dumps(found.data) + "".join(e.says for e in found.evidence)
    assert metadata(file, locate=True).data["position"] == pytest.approx([-33.86, 151.2])


@pytest.mark.parametrize(
    ("code", "points_to", "weight"),
    [
        ("trainedAlgorithmicMedia", "generated", "strong"),
        ("compositeWithTrainedAlgorithmicMedia", "edited", "strong"),
        ("digitalCapture", "camera original", "hint"),
        ("screenCapture", None, "note"),
    ],
)
@pytest.mark.parametrize("form", ["attribute", "element", "resource"])
def test_the_declared_source_type_counts(code, points_to, weight, form):
    key, uri = "Iptc4xmpExt:DigitalSourceType", SOURCE.replace("http:", "https:") + code
    bodies = {
        "attribute": packet("", f'{key}="{uri}"'),
        "element": packet(f"<{key}>{uri}</{key}>"),
        "resource": packet(f'<{key} rdf:resource="{uri}"/>'),
    }
    found = metadata(picture(with_segments(encoded(scene()), xmp_segment(bodies[form]))))
    one = says(found, f"(IPTC {code})")
    assert (one.points_to, one.weight) == (points_to, weight)
    assert found.data["digital_source_types"] == [code]


def test_every_source_type_has_a_meaning():
    assert declared.source("digsrctype:TRAINEDALGORITHMICMEDIA")[0] == "trainedAlgorithmicMedia"
    assert declared.source("nonsense") == ("nonsense", None)


def test_the_editing_history_is_read():
    step = '<rdf:li rdf:parseType="Resource"><stEvt:action>saved</stEvt:action><stEvt:softwareAgent>P 7</stEvt:softwareAgent></rdf:li>'
    ancestors = "<photoshop:DocumentAncestors><rdf:Bag><rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Bag></photoshop:DocumentAncestors>"
    body = f"<xmpMM:History><rdf:Seq>{step}{step}</rdf:Seq></xmpMM:History>{ancestors}"
    found = metadata(picture(with_segments(encoded(scene()), xmp_segment(packet(body, 'crs:Exposure2012="+1.0"')))))
    assert found.data["history"] == [{"action": "saved", "softwareAgent": "P 7"}] * 2
    assert says(found, "lists 2 steps by P 7").points_to == "edited"
    assert says(found, "2 other documents").points_to == "edited"
    assert says(found, "Camera Raw").points_to == "edited"


def resource(number, body):
    return b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(4, "big") + body + b"\0" * (len(body) % 2)


def test_photoshop_and_iptc_blocks_are_read():
    program = b"Adobe Photoshop"
    iptc = bytes((0x1C, 2, 65)) + len(program).to_bytes(2, "big") + program
    blocks = b"Photoshop 3.0\0" + resource(0x0404, iptc) + resource(0x03ED, b"\0" * 16)
    found = metadata(picture(with_segments(encoded(scene()), segment(0xED, blocks))))
    assert says(found, "IPTC OriginatingProgram says").points_to == "edited"
    assert says(found, "Photoshop's own resource blocks").points_to == "edited"
    only_words = b"Photoshop 3.0\0" + resource(0x0404, bytes((0x1C, 2, 120, 0, 2)) + b"hi")
    assert pointed(metadata(picture(with_segments(encoded(scene()), segment(0xED, only_words))))) == set()


COMFY = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})


@pytest.mark.parametrize(
    ("texts", "who"),
    [
        ({"parameters": "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"}, "Stable Diffusion web UI"),
        ({"prompt": COMFY}, "ComfyUI"),
        ({"workflow": json.dumps({"nodes": [], "links": []})}, "ComfyUI"),
        ({"Comment": json.dumps({"prompt": "x", "steps": 28, "sampler": "k", "uc": ""}), "Software": "NovelAI"}, "NovelAI"),
        ({"invokeai_metadata": json.dumps({"model": 1})}, "InvokeAI"),
        ({"Dream": "a cat -s 50 -W 512 -H 512 -C 7.5 -A k_lms -S 123"}, "InvokeAI (dream)"),
        ({"parameters": json.dumps({"sui_image_params": {}})}, "SwarmUI"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_generators_leave_their_settings_in_png_texts(texts, who, packed):
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text, zip=packed)
    found = metadata(picture(encoded(scene(), "PNG", pnginfo=info)))
    one = says(found, f"settings of {who}")
    assert (one.points_to, one.weight) == ("generated", "strong")
    assert found.data["generator"] == who


def test_a_prompt_in_a_users_comment_counts_too():
    comment = b"UNICODE\0" + "a cat Steps: 20, Sampler: Euler, Seed: 1".encode("utf-16-le")
    block = exif_block({}, {37510: (7, comment)})
    assert metadata(picture(with_segments(encoded(scene()), segment(0xE1, block)))).data["generator"] == "Stable Diffusion web UI"


@pytest.mark.parametrize("text", ["Steps: follow the path, Seed", "{}", '{"prompt": "make me a sandwich"}', "{" * 90_000, "x" * 90_000])
def test_other_texts_are_no_prompts(text):
    assert declared.generator({"Comment": text, "parameters": text}) is None


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_and_xmp_are_found_in_every_container(format):
    tags = Image.Exif()
    tags[271], tags[272], tags[305] = "Canon", "Canon EOS 5D", "GIMP 2.10"
    body = packet("", f'Iptc4xmpExt:DigitalSourceType="{SOURCE}trainedAlgorithmicMedia"')
    options = {"exif": tags}
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", body.decode())
        options["pnginfo"] = info
    elif format == "TIFF":
        tags[700] = body
    else:
        options["xmp"] = body
    found = metadata(picture(encoded(scene(64, 48), format, **options)))
    assert says(found, "GIMP 2.10").points_to == "edited"
    assert says(found, "trainedAlgorithmicMedia").points_to == "generated"


def test_heif_is_read_with_its_extra():
    heif = pytest.importorskip("pillow_heif")
    tags = Image.Exif()
    tags[305] = "GIMP 2.10"
    out = io.BytesIO()
    heif.from_pillow(Image.fromarray(scene(64, 48))).save(out, exif=tags.tobytes())
    assert says(metadata(picture(out.getvalue())), "GIMP 2.10").points_to == "edited"


def test_no_metadata_proves_nothing():
    found = metadata(picture(encoded(scene())))
    assert "proves nothing" in says(found, "no metadata").caveat
    assert pointed(found) == set()


def test_an_array_has_no_file():
    with pytest.raises(CannotAssess, match="no file"):
        metadata(picture(b""))


@pytest.mark.parametrize("data", [b"hello", b"\xff\xd8", b"\x89PNG", b"\0" * 50])
def test_what_is_no_picture_is_a_sentence(data):
    with pytest.raises(BadInput):
        metadata(picture(data))


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>',
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'.encode("utf-16"),
        b"<x" * 100,
        b"\0" * (9 << 20),
        packet("<xmp:a>" * 200 + "</xmp:a>" * 200),
    ],
    ids=["entities", "external", "utf-16", "broken", "huge", "deep"],
)
def test_hostile_xmp_is_refused_in_a_sentence(hostile):
    with pytest.raises(BadInput, match="XMP packet"):
        xmp.parse(hostile)


def test_a_refused_packet_is_named_and_the_rest_is_read():
    file = with_segments(photo(), xmp_segment(b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'))
    found = metadata(picture(file))
    assert says(found, "Damaged metadata: the XMP packet declares a document type")
    assert found.data["camera"]["make"] == "Canon"


def test_a_text_that_unpacks_to_gigabytes_is_cut():
    bomb = zlib.compress(bytes(64 << 20), 9)
    chunk = b"Comment\0\0" + bomb
    png = encoded(scene(16, 16), "PNG")
    whole = png[:33] + len(chunk).to_bytes(4, "big") + b"zTXt" + chunk + zlib.crc32(b"zTXt" + chunk).to_bytes(4, "big") + png[33:]
    assert len(embedded.read(whole).texts["Comment"]) == embedded.MAX_TEXT


def test_directories_that_point_at_themselves_end():
    block = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0" + b"\x08\0\0\0"
    assert set(exif.parse(block).ifds) == {"0th", "Exif", "1st"}


def test_broken_files_raise_nothing_else():
    for data in damaged(
        with_segments(photo(64, 48, thumbnail=encoded(scene(32, 24))), xmp_segment(packet("", 'xmp:CreatorTool="x"'))), 1, 1500
    ):
        survives(metadata, picture(data))


def test_on_real_files(data):
    labels = {"Canon_IXUS": "camera original", "FujiFilm_MX1700": "camera original", "Canon_EOS_D60": "edited", "Issue_154": "edited"}
    for name, label in labels.items():
        found = metadata(picture((data / f"camera/original/{name}.jpg").read_bytes()))
        assert {e.points_to for e in found.evidence} - {None} == {label}
