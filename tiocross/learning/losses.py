"""Losses of classification, each value beside its pullback."""

import numpy as np

from tiocross.learning.tensor import Tensor, sigmoid


def classification_loss(logits, labels):
    """Mean cross-entropy, binary for one logit and softmax for several.

    Parameters
    ----------
    logits : (..., n_points, n_outputs) Tensor
        Outputs of a network or many copies of it (unitless).
    labels : (..., n_points) int ndarray
        Class of each point; leading axes broadcast against those of the logits (unitless).

    Returns
    -------
    Tensor
        Mean over points and copies (unitless).
    """
    return (binary_cross_entropy if logits.shape[-1] == 1 else softmax_cross_entropy)(logits, labels)


def binary_cross_entropy(logits, labels):
    """Mean over points and copies of log(1 + exp(z)) - y z, with z a logit and y its label.

    Parameters
    ----------
    logits : (..., n_points, 1) Tensor
        One logit a point (unitless).
    labels : (..., n_points) ndarray
        0 or 1; leading axes broadcast (unitless).

    Returns
    -------
    Tensor
        A number (unitless).
    """
    z, y = logits.value, labels[..., None]
    losses = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z
    return Tensor(losses.mean(), (logits,), lambda g: ((sigmoid(z) - y) * (g / losses.size),))


def softmax_cross_entropy(logits, labels):
    """Mean over points and copies of log(sum(exp(z))) - z[y], with z the logits of a point and y its label.

    Parameters
    ----------
    logits : (..., n_points, n_classes) Tensor
        One logit for each class (unitless).
    labels : (..., n_points) int ndarray
        Class of each point; leading axes broadcast (unitless).

    Returns
    -------
    Tensor
        A number (unitless).
    """
    shifted = logits.value - logits.value.max(axis=-1, keepdims=True)
    exps = np.exp(shifted)
    total = exps.sum(axis=-1, keepdims=True)
    chosen = np.arange(shifted.shape[-1]) == labels[..., None]
    losses = np.log(total[..., 0]) - (shifted * chosen).sum(axis=-1)
    return Tensor(losses.mean(), (logits,), lambda g: ((exps / total - chosen) * (g / losses.size),))
