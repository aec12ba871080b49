"""The ONNX graph of the rnn encoder is the encoder."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from sketch_pix2seq.model.encoders import SequenceEncoder
from sketch_pix2seq.model.export import _sequence_encoder
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import SequenceSpec


def test_graph_and_network_read_the_same_rows() -> None:
    torch.manual_seed(0)
    settings = ModelSettings(
        encoder="rnn", encoder_size=6, z_size=4, unit_code=False, noise=0.0, category_size=0, canvas=False, attend=0.0
    )
    network = Network(settings, SequenceSpec("first")).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    assert isinstance(network.encoder, SequenceEncoder)
    assert isinstance(network.to_mu, torch.nn.Linear)
    graph = _sequence_encoder(network.encoder, {"code": network.to_mu})
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    lengths = np.array([3, 6, 1], np.int32)  # with their end rows: the last has nothing else
    rows = np.zeros((3, 6, 5), np.float32)
    for row, length in zip(rows, lengths, strict=True):
        row[: length - 1, :4] = np.random.default_rng(length).normal(size=(length - 1, 4))
        row[length - 1, 4] = 1
    (code,) = session.run(["code"], {"rows": rows, "lengths": lengths})
    with torch.no_grad():
        expected, _ = network.encode_rows(torch.from_numpy(rows), torch.from_numpy(lengths))
    np.testing.assert_allclose(code, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(code[2], network.to_mu.bias.detach().numpy(), atol=1e-6)
