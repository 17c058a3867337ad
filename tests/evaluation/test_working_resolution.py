"""Methods are evaluated at the resolution that they work at, whatever the images'."""

from functools import partial

import numpy as np
import torch

from tests.helpers.crops import small
from zoo.data import GridWindows, ObjectWindows, PatchDataModule, WholeImages
from zoo.evaluation import Automatic, Interactive, OneShotProtocol
from zoo.inference.session import Session, as_images
from zoo.methods import Watershed
from zoo.store.writer import StoreWriter
from zoo.testing import tiny_image

ABOUT = {"licence": "CC0-1.0", "citation": "nobody", "source_checksum": "0" * 64}
MPP = 0.5


def batches(path, mpps, samples, labels="instances", batch_size=8):
    with StoreWriter(path, dataset="Blobs", labels=labels, **ABOUT) as writer:
        for k, mpp in enumerate(mpps):
            image, ids = tiny_image(k)
            ids = (ids > 0).astype(np.uint8) if labels == "region" else ids
            writer.add_group(str(k), image[None], ids[None], slide=str(k), patient=str(k), split="test", mpp=mpp)
    data = PatchDataModule([str(path)], batch_size=batch_size)
    data.evaluated = samples
    data.setup("test")
    return list(data.test_dataloader())


def method(mpp):
    module = small()
    module.mpp = mpp
    return module


def test_a_session_at_another_resolution(tmp_path):
    protocol = Interactive(max_interactions=3)
    (batch,) = batches(tmp_path / "blobs.h5", [MPP], partial(ObjectWindows, side=48))
    engine = method(0.3).engine()
    assert (batch.mpp, engine.mpp) == (MPP, 0.3)
    found = protocol.run(engine, batch)
    session = Session(engine, mpp=0.3)
    session.set_image(as_images(batch.image), mpp=MPP)
    for turn in range(3):
        mask = session.add(protocol.user(session.mask, batch.truth, session.interactions, turn))
    assert session.frame is not None
    assert torch.equal(found.mask, mask)
    assert found.mask.any()
    other = protocol.run(method(MPP).engine(), batch)
    assert not torch.equal(other.mask, found.mask)
    assert torch.equal(other.mask, protocol.run(method(None).engine(), batch).mask)


def test_an_instance_map_at_another_resolution(tmp_path):
    protocol = OneShotProtocol()
    (batch,) = batches(tmp_path / "blobs.h5", [MPP], WholeImages)
    (found,) = protocol.run(method(0.25).engine(), batch)
    assert found.prediction.shape == found.target.shape
    image = as_images(batch.image)
    frame = Session(method(0.25).engine())
    frame.set_image(image, mpp=MPP)
    everywhere = frame.frame.select(torch.zeros(4, dtype=torch.long))
    labels = protocol.oneshot(method(0.25).engine(), frame.frame.crop(image), found.interactions.through(everywhere))
    assert labels.shape == (128, 128)
    # Enlarged twofold, the middle of a pixel lies between two: the nearest one is the lower right.
    assert torch.equal(found.prediction, labels[1::2, 1::2])
    (same,) = protocol.run(method(MPP).engine(), batch)
    (unknown,) = protocol.run(method(None).engine(), batch)
    assert torch.equal(same.prediction, unknown.prediction)


def test_a_first_mask_at_another_resolution(tmp_path):
    (batch,) = batches(tmp_path / "blobs.h5", [MPP], partial(GridWindows, side=64), "region")
    seen = []

    class Seen(Watershed):
        mpp = 1.0

        def start(self, image, mask=None):
            seen.append(tuple(image.shape[-2:]))
            return {"probability": (image[:, :1] < 0.5).float()}

    found = Automatic().run(Seen(), batch)
    assert seen == [(32, 32)]
    assert found.mask.shape[-2:] == (64, 64)


def test_no_batch_has_two_resolutions_and_none_is_taken_for_the_methods_own(tmp_path, recwarn):
    mpps = [MPP, MPP, 0.25, None]
    found = batches(tmp_path / "blobs.h5", mpps, partial(ObjectWindows, side=48), batch_size=100)
    assert [(batch.mpp, len(batch)) for batch in found] == [(MPP, 8), (0.25, 4), (None, 4)]
    (*_, unknown) = found
    runs = [Interactive(max_interactions=1).run(method(mpp).engine(), unknown).mask for mpp in (MPP, None)]
    assert torch.equal(*runs)
    Interactive(max_interactions=1).run(Watershed(), found[0])
    assert not [warning for warning in recwarn if "mpp" in str(warning.message)]
