"""The base of shift detectors, as of Arangopipe 0.0.70."""

from arangopipe.compat.shift import DatasetShiftDetector as DatasetShiftDetector
