"""The detector of dataset shift."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arangopipe.compat.shift import DatasetShiftDetector, RF_DatasetShiftDetector
from arangopipe.errors import InvalidInput


@pytest.fixture(scope="module")
def houses() -> pd.DataFrame:
    random = np.random.default_rng(4)
    frame = pd.DataFrame(random.normal(size=(600, 3)), columns=["lat", "rooms", "age"])
    frame["old"] = frame["age"] > 0
    return frame


@pytest.mark.slow
def test_shift_is_told_from_no_shift(houses: pd.DataFrame) -> None:
    detector = RF_DatasetShiftDetector()
    north, south = houses[houses["lat"] > 0], houses[houses["lat"] <= 0]
    assert detector.detect_dataset_shift(north, south) > 0.8
    assert detector.detect_dataset_shift(houses, houses.copy()) < 0.6
    half = houses.sample(frac=0.5, random_state=1)
    assert 0.35 < detector.detect_dataset_shift(half, houses.drop(half.index)) < 0.65


@pytest.mark.slow
def test_frames_are_not_changed_and_a_mark_of_old_detectors_is_no_feature(houses: pd.DataFrame) -> None:
    one, other = houses.iloc[:300].copy(), houses.iloc[300:].copy()
    plain = RF_DatasetShiftDetector().detect_dataset_shift(one, other)
    one["DS"], other["DS"] = 0, 1
    before = one.copy(), other.copy()
    assert RF_DatasetShiftDetector().detect_dataset_shift(one, other[list(reversed(other.columns))]) == plain
    pd.testing.assert_frame_equal(one, before[0])
    pd.testing.assert_frame_equal(other, before[1])


def test_frames_that_cannot_be_compared_are_refused(houses: pd.DataFrame) -> None:
    detector = RF_DatasetShiftDetector()
    town = houses.assign(town="x")
    for one, other, message in (
        (houses, houses.drop(columns="age"), "different columns"),
        (town, town, "columns town are not numeric"),
        (houses, houses.iloc[:0], "without rows"),
    ):
        with pytest.raises(InvalidInput, match=message):
            detector.detect_dataset_shift(one, other)


def test_a_detector_of_ones_own() -> None:
    class Always(DatasetShiftDetector):
        def detect_dataset_shift(self, dataframe1: pd.DataFrame, dataframe2: pd.DataFrame) -> float:
            return 1.0

    frame = pd.DataFrame()
    assert Always().detect_dataset_shift(frame, frame) == 1.0
    with pytest.raises(NotImplementedError, match="Always detects no covariate shift"):
        Always().detect_covariate_shift(frame, frame)
    assert DatasetShiftDetector()


def test_without_scikit_learn_the_pip_line_is_given(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["sklearn"] = None
from arangopipe.arangopipe_analytics.rf_dataset_shift_detector import RF_DatasetShiftDetector
try:
    RF_DatasetShiftDetector().detect_dataset_shift(None, None)
except ImportError as error:
    print(error)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60)
    assert done.stdout == "scikit-learn is needed for this: pip install 'arangopipe[analysis]'\n"
