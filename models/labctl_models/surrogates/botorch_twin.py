"""The botorch model equal to a fitted Gaussian process, for tools and tests that want torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior

if TYPE_CHECKING:
    from labctl_models.surrogates.gp import FittedGP


def twin_of(fitted: FittedGP) -> SingleTaskGP:
    """SingleTaskGP with the data, hyperparameters and standardisation of `fitted`, in evaluation mode.

    Its posterior is in the units of y. The standardisation is set rather than computed, so that the twin is
    exact also where botorch would have standardised otherwise (one row, constant y).
    """
    X = torch.from_numpy(fitted.X)
    z = torch.from_numpy((fitted.y / fitted.scale) - (fitted.shift / fitted.scale)).unsqueeze(-1)
    covariance = get_covar_module_with_dim_scaled_prior(ard_num_dims=X.shape[1], use_rbf_kernel=False)
    model = SingleTaskGP(X, z, covar_module=covariance, outcome_transform=None)
    model.covar_module.lengthscale = torch.from_numpy(fitted.lengthscales)
    # As tensors, because a plain number would be rounded to single precision on its way in.
    model.likelihood.noise = torch.tensor(fitted.noise_variance, dtype=torch.float64)
    model.mean_module.constant = torch.tensor(fitted.mean, dtype=torch.float64)
    standardise = Standardize(m=1)
    state = standardise.state_dict()
    state["means"] = torch.tensor([[fitted.shift]], dtype=torch.float64)
    state["stdvs"] = torch.tensor([[fitted.scale]], dtype=torch.float64)
    state["_stdvs_sq"] = state["stdvs"] ** 2
    state["_is_trained"] = torch.tensor(data=True)
    standardise.double().load_state_dict(state)
    model.outcome_transform = standardise
    return model.eval()
