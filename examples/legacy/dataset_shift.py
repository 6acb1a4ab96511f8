"""Whether serving data still look like the data a model was trained on."""

from arangopipe.arangopipe_analytics.rf_dataset_shift_detector import RF_DatasetShiftDetector
from sklearn.datasets import load_diabetes

frame = load_diabetes(as_frame=True).frame.drop(columns="target")
slim, heavy = frame[frame["bmi"] <= 0], frame[frame["bmi"] > 0]
detector = RF_DatasetShiftDetector()
shifted = detector.detect_dataset_shift(slim, heavy)
same = detector.detect_dataset_shift(frame, frame.copy())
print("shifted", shifted > 0.8)
print("same", same < 0.6)
print("columns kept", "DS" not in frame.columns and "DS" not in slim.columns)
