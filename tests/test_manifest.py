"""Signed manifests are checked, and nothing is fetched. The certificates here are made for the test and thrown away."""

from __future__ import annotations

import datetime
import http.server
import io
import json
import sys
import threading

import pytest

from assay.authenticity.manifest import manifest
from assay.types import BadInput, CannotAssess
from files import damaged, encoded, picture, says, scene, survives

c2pa = pytest.importorskip("c2pa", reason="needs the c2pa extra: pip install assay[c2pa]")
x509 = pytest.importorskip("cryptography.x509")

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture(scope="module")
def chain():
    """(certificate chain, private key, root certificate), PEM."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    keys = {who: ec.generate_private_key(ec.SECP256R1()) for who in ("root", "signer")}

    def name(who):
        oid = x509.oid.NameOID
        return x509.Name([x509.NameAttribute(oid.COMMON_NAME, who), x509.NameAttribute(oid.ORGANIZATION_NAME, "Throw-away Press")])

    def certificate(who):
        usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        usage |= {"encipher_only": False, "decipher_only": False, "key_cert_sign": who == "root", "crl_sign": who == "root"}
        public = keys[who].public_key()
        built = (
            x509.CertificateBuilder(name("root"), name(who), public, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(who == "root", None), True)
            .add_extension(x509.KeyUsage(digital_signature=True, **usage), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys["root"].public_key()), False)
        )
        if who == "signer":  # C2PA asks for one of a few purposes
            built = built.add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        return built.sign(keys["root"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    private = serialization.PrivateFormat.PKCS8
    key = keys["signer"].private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    root = certificate("root")
    return certificate("signer") + root, key, root.decode()


@pytest.fixture(scope="module")
def sign(chain):
    def sign(data, *actions, format="image/jpeg", remote="", parts=(), edit=False):
        certificates, key, _ = chain
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", certificates, key, None))
        assertion = {"label": "c2pa.actions", "data": {"actions": list(actions)}}
        builder = c2pa.Builder({"claim_generator_info": [{"name": "test-press", "version": "1.0"}], "assertions": [assertion]})
        for part in parts:
            builder.add_ingredient({"title": "part", "relationship": "componentOf"}, "image/jpeg", io.BytesIO(part))
        if edit:  # the file itself becomes the parent
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        if remote:
            builder.set_remote_url(remote)
            builder.set_no_embed()
        out = io.BytesIO()
        builder.sign(signer, format, io.BytesIO(data), out)
        return out.getvalue()

    return sign


def created(source):
    return {"action": "c2pa.created", "digitalSourceType": SOURCE + source, "softwareAgent": "Test 1"}


OPENED = {"action": "c2pa.opened"}
JPEG = encoded(scene(64, 48))


def pointed(finding):
    return {(e.points_to, e.weight) for e in finding.evidence if e.points_to}


def test_a_signer_on_no_list_is_valid_but_not_trusted(sign):
    found = manifest(picture(sign(JPEG, created("trainedAlgorithmicMedia"))))
    assert found.data["state"] == "valid"
    assert (found.data["signer"], found.data["signer_name"]) == ("Throw-away Press", "signer")
    assert found.data["source_types"] == ["trainedAlgorithmicMedia"]
    assert "test-press 1.0" in found.data["generator"]
    assert "no trust list" in says(found, "Signed by “Throw-away Press”").says
    assert "anybody" in says(found, "Created using Generative AI").caveat
    assert pointed(found) == {("generated", "strong")}
    json.dumps(found.data, allow_nan=False)


def test_a_signer_on_the_list_is_trusted(sign, chain):
    found = manifest(picture(sign(JPEG, created("digitalCapture"))), trust=chain[2])
    assert found.data["state"] == "trusted"
    assert says(found, "a trusted signer")
    assert pointed(found) == {("camera original", "strong")}


def test_an_unknown_signer_cannot_vouch_for_a_camera(sign):
    found = manifest(picture(sign(JPEG, created("digitalCapture"))))
    assert says(found, "digitalCapture").points_to is None
    assert pointed(found) == set()


@pytest.mark.parametrize(("trusted", "weight"), [(True, "strong"), (False, "hint")])
def test_declared_edits_count(sign, chain, trusted, weight):
    data = sign(JPEG, created("digitalCapture"), {"action": "c2pa.color_adjustments"}, {"action": "c2pa.resized"})
    found = manifest(picture(data), trust=chain[2] if trusted else "")
    assert says(found, "changed in colour, resized").points_to == "edited"
    assert pointed(found) == {("edited", weight)}


def test_resizing_alone_is_no_edit(sign):
    assert pointed(manifest(picture(sign(JPEG, created("digitalCapture"), {"action": "c2pa.resized"})))) == set()


def test_an_edited_generated_picture_stays_generated(sign):
    generated = sign(JPEG, created("trainedAlgorithmicMedia"))
    found = manifest(picture(sign(generated, {"action": "c2pa.cropped"}, edit=True)))
    assert found.data["state"] == "valid"
    assert pointed(found) == {("generated", "strong"), ("edited", "hint")}
    assert [a["inherited"] for a in found.data["actions"] if a["source"] == "trainedAlgorithmicMedia"] == [True]


def test_a_generated_part_makes_an_edited_picture(sign):
    part = sign(encoded(scene(64, 48, seed=3)), created("trainedAlgorithmicMedia"))
    found = manifest(picture(sign(JPEG, created("digitalCapture"), parts=[part])))
    assert says(found, "A part that was placed").points_to == "edited"
    assert pointed(found) == {("edited", "strong")}


def test_a_changed_picture_breaks_the_seal(sign):
    data = bytearray(sign(JPEG, created("trainedAlgorithmicMedia")))
    data[-100] ^= 1
    found = manifest(picture(bytes(data)))
    assert found.data["state"] == "invalid"
    assert "dataHash.mismatch" in found.data["failures"][0]["code"] + found.data["failures"][-1]["code"]
    assert says(found, "seal of “Throw-away Press” is broken").points_to == "edited"
    assert pointed(found) == {("edited", "hint")}  # what a broken manifest declares points nowhere


def test_a_changed_manifest_breaks_the_seal(sign):
    found = manifest(picture(sign(JPEG, created("trainedAlgorithmicMedia")).replace(b"test-press", b"test-prett")))
    assert found.data["state"] == "invalid"
    assert says(found, "is broken")


def test_no_manifest_proves_nothing():
    found = manifest(picture(JPEG))
    assert found.data == {"state": "none"}
    assert "proves nothing" in found.evidence[0].caveat
    assert pointed(found) == set()


def test_a_manifest_elsewhere_is_named_and_never_fetched(sign):
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/m.c2pa"
        data = sign(JPEG, created("digitalCapture"), remote=url)
        found = manifest(picture(data))
        assert asked == []
        assert found.data == {"state": "remote", "url": url}
        assert "not fetched" in says(found, "lies elsewhere").caveat
        with pytest.raises(c2pa.C2paError):  # the library by itself would have asked: the server is there and the file does point to it
            c2pa.Reader(io.BytesIO(data))
        server.shutdown()
    assert asked == ["/m.c2pa"]


@pytest.mark.parametrize(("format", "mime"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/tiff")])
def test_other_containers_are_read_too(sign, format, mime):
    found = manifest(picture(sign(encoded(scene(64, 48), format), created("trainedAlgorithmicMedia"), format=mime)))
    assert found.data["state"] == "valid"


def test_without_the_extra_a_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(CannotAssess, match=r"pip install assay\[c2pa\]"):
        manifest(picture(JPEG))


def test_wrong_certificates_are_a_sentence(sign):
    with pytest.raises(BadInput, match="PEM"):
        manifest(picture(sign(JPEG, created("digitalCapture"))), trust="not a certificate")


def test_an_array_has_no_file():
    with pytest.raises(CannotAssess, match="no file"):
        manifest(picture(b""))


def test_broken_files_raise_nothing_else(sign):
    for data in damaged(sign(JPEG, created("trainedAlgorithmicMedia")), 4, 100):
        survives(manifest, picture(data))
