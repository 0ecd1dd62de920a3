import shutil

from cxr_core.cli.main import main
from cxr_core.model.folder import find_model
from cxr_core.model.training_record import read_summary
from tests.images import made_up_dataset


def test_tables_are_counted_by_split_and_whole(tmp_path, capsys):
    _, table = made_up_dataset(tmp_path / "data", patients=6, images=2, side=48)
    split, out = tmp_path / "split.csv", tmp_path / "numbers.json"
    split.write_text("patient_id,part\n" + "".join(f"{n},{'train' if n < 3 else 'validation'}\n" for n in range(1, 7)))
    command = ["describe", "--table", str(table), "--out", str(out)]
    assert main([*command, "--split", str(split)]) == 0
    output = capsys.readouterr().out
    assert "train: 4 images of 2 patients" in output
    assert "train and validation: 0 patients in both" in output
    assert read_summary(out).parts["validation"].images == 8
    assert main([*command, "--split", "none"]) == 0
    whole = read_summary(out)
    assert list(whole.parts) == ["all"]
    assert whole.parts["all"].sexes == {"F": 6, "M": 6}
    assert list(whole.tables) == ["data/table.csv"]


def test_what_it_cannot_do_is_one_line(tmp_path, capsys):
    _, table = made_up_dataset(tmp_path / "data", patients=6, images=2, side=48)
    copy = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), copy)
    split = tmp_path / "split.csv"
    split.write_text("patient_id,part\n" + "".join(f"{n},train\n" for n in range(1, 7)))
    command = ["describe", "--table", str(table)]
    for options, status, words in (
        ([], 2, "Give either --model, to add the counts to its card, or --out"),
        (["--model", str(copy), "--split", "none"], 2, "--split none goes with --out"),
        (["--model", str(copy), "--split", str(split)], 4, "Give that split"),
        (["--out", str(tmp_path / "o.json"), "--test-table", str(table)], 2, "one --test-table for each"),
    ):
        assert main([*command, *options]) == status, options
        captured = capsys.readouterr()
        assert words in captured.err, captured.err
        assert captured.err.count("\n") == 1
