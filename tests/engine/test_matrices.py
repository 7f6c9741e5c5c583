"""Linear algebra against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from scidb_magic.errors import EngineError

A = "build(<v:double>[i=0:2; k=1:4], i * 3 + k * k)"
B = "build(<w:double>[k=1:4; j=0:1], k - 2 * j)"
C = "build(<c:double>[i=0:2; j=0:1], i + j)"
ROW, K, J = np.arange(3)[:, None], np.arange(1, 5), np.arange(2)
LEFT, RIGHT, ADDEND = ROW * 3.0 + K * K, K[:, None] - 2.0 * J, ROW + 1.0 * J


def matrix(ask, query: str, rows: int) -> np.ndarray:
    return np.array([float(line.rsplit(",", 1)[1]) for line in ask.rows(query)]).reshape(rows, -1)


def refused(ask, query: str) -> str:
    with pytest.raises(EngineError) as caught:
        ask.run(query)
    return caught.value.description


def test_gemm(ask) -> None:
    np.testing.assert_allclose(matrix(ask, f"gemm({A}, {B}, {C})", 3), LEFT @ RIGHT + ADDEND)
    assert ask.schema(f"gemm({A}, {B}, {C})") == "gemm<gemm:double> [i=0:2:0:1000; j=0:1:0:1000]"
    scaled = matrix(ask, f"gemm({A}, {B}, {C}, alpha: 2, beta: -1.0)", 3)
    np.testing.assert_allclose(scaled, 2 * LEFT @ RIGHT - ADDEND)
    turned = matrix(ask, f"gemm({A}, {A}, build(<c:double>[a=0:3; b=0:3], 0), transa: true)", 4)
    np.testing.assert_allclose(turned, LEFT.T @ LEFT)
    assert "n × m matrix, but was passed 3 × 4, 3 × 4" in refused(ask, f"gemm({A}, {A}, {C})")


def test_cells_that_are_not_there_count_as_zero(ask) -> None:
    found = matrix(ask, f"gemm(filter({A}, k = 1), {B}, {C}, beta: 0)", 3)
    np.testing.assert_allclose(found, LEFT[:, :1] @ RIGHT[:1])


def test_gesvd_gives_factors_whose_product_is_the_matrix(ask) -> None:
    ask.run(f"store({A}, M)")
    left = matrix(ask, "gesvd(M, 'left')", 3)
    values = matrix(ask, "gesvd(M, 'values')", 3)[:, 0]
    right = matrix(ask, "gesvd(M, 'right')", 3)
    np.testing.assert_allclose(values, np.linalg.svd(LEFT)[1], atol=1e-12)
    np.testing.assert_allclose(left * values @ right, LEFT, atol=1e-10)
    assert ask.schema("gesvd(M, 'U')") == "gesvd<u:double> [i=0:2:0:1000; i_2=0:2:0:3]".replace(
        "gesvd<", "u<"
    )
    assert "not 'middle'" in refused(ask, "gesvd(M, 'middle')")


def test_spgemm_multiplies_what_is_there(ask) -> None:
    sparse = f"filter({A}, (i + k) % 2 = 0)"
    mask = (ROW + K) % 2 == 0
    np.testing.assert_allclose(matrix(ask, f"spgemm({sparse}, {B})", 3), (LEFT * mask) @ RIGHT)
    assert ask.schema(f"spgemm({sparse}, {B})").startswith("build<multiply:double> [i=0:2:0:")
    least = matrix(ask, f"spgemm({A}, {B}, 'min.+')", 3)
    np.testing.assert_allclose(least, (LEFT[:, :, None] + RIGHT[None]).min(axis=1))
    assert "the same bounds" in refused(ask, f"spgemm({A}, {A})")


@pytest.mark.parametrize("wrong", ["build(<v:int64>[i=0:1; j=0:1], 1)", "build(<v:double>[i=0:1], 1)"])
def test_matrices_are_checked(ask, wrong: str) -> None:
    assert "takes matrices" in refused(ask, f"gesvd({wrong}, 'values')")
