"""``%scidb`` and ``%%scidb`` in an IPython shell, against a real embedded server."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scidb_magic import api


def fresh(prefix: str = "t") -> str:
    return f"{prefix}_{secrets.token_hex(4)}"


NUMBERS = "build(<x:int64>[i=0:99], i * i)"


class TestLine:
    def test_it_returns_the_whole_result(self, shell: Any) -> None:
        out = shell.run(f"frame = %scidb {NUMBERS}")
        assert out.error is None
        assert out.text.strip() == ""
        assert list(shell["frame"].columns) == ["i", "x"]
        assert shell["frame"]["x"].sum() == sum(i * i for i in range(100))

    @pytest.mark.parametrize(
        ("form", "kind"), [("arrow", "Table"), ("numpy", "MaskedArray"), ("dataframe", "DataFrame")]
    )
    def test_forms(self, shell: Any, form: str, kind: str) -> None:
        shell.run(f"found = %scidb --as {form} {NUMBERS}")
        assert type(shell["found"]).__name__ in (kind, "ndarray") if form == "numpy" else kind

    def test_a_limit_is_said(self, shell: Any) -> None:
        out = shell.run(f"part = %scidb --limit 7 {NUMBERS}")
        assert len(shell["part"]) == 7
        assert "rows 7 of more than 7" in out.text

    def test_output_goes_to_the_variable(self, shell: Any) -> None:
        out = shell.run(f"%scidb -o squares {NUMBERS};")
        assert out.value is None
        assert len(shell["squares"]) == 100

    def test_several_statements_are_for_a_cell(self, shell: Any) -> None:
        out = shell.run("%scidb list('arrays'); list('arrays')")
        assert out.traceback == [
            "MagicUsageError: %scidb takes one AFL statement; a %%scidb cell takes several."
        ]

    def test_braces_dollars_and_percents_stay(self, shell: Any) -> None:
        shell["x"] = 5
        shell.run("found = %scidb build(<s:string>[i=0:0], '{x} $x %x :x {{ x }}')")
        assert shell["found"]["s"].tolist() == ["{x} $x %x :x {{ x }}"]

    def test_names_of_a_function_are_seen(self, shell: Any) -> None:
        shell.run(
            "def square_sum(n):\n"
            "    k = 2\n"
            "    found = %scidb aggregate(build(<x:int64>[i=1:{{ n }}], i * {{ k }}), sum(x))\n"
            "    return int(found['x_sum'].iloc[0])\n"
        )
        assert shell.run("square_sum(10)").value == 110


class TestCell:
    def test_each_result_is_shown(self, shell: Any) -> None:
        name = fresh()
        out = shell.run(
            f"%%scidb\nstore({NUMBERS}, {name}); -- a comment; with a semicolon\n"
            f"aggregate({name}, count(*));\nfilter({name}, x < 5);\nremove({name})\n"
        )
        assert out.error is None
        assert len(out.texts) == 4
        assert out.texts[0] == f"stored array {name}, version 1"
        assert "100" in out.texts[1]
        assert "<table" in out.htmls[2]
        assert out.texts[3] == f"removed {name}"

    def test_quiet(self, shell: Any) -> None:
        name = fresh()
        out = shell.run(f"%%scidb --quiet\nstore({NUMBERS}, {name});\nremove({name})")
        assert out.error is None
        assert out.text.strip() == ""

    def test_the_last_result_goes_to_the_variable_whole(self, shell: Any) -> None:
        out = shell.run("%%scidb -o all_of_it\nbuild(<x:int64>[i=0:2], i);\nbuild(<x:int64>[i=0:1999], i)")
        assert len(out.texts) == 1
        assert shell["all_of_it"]["x"].tolist() == list(range(2000))

    def test_a_preview_says_that_there_is_more(self, shell: Any) -> None:
        out = shell.run("%%scidb\nbuild(<x:int64>[i=0:1999], i)")
        assert "rows 1,000 of more than 1,000" in out.texts[-1]
        assert "--all or -o NAME" in out.htmls[-1]
        assert "first" not in out.text

    @pytest.mark.parametrize("options", ["--all", "--limit 2000"])
    def test_a_whole_result_says_so(self, shell: Any, options: str) -> None:
        out = shell.run(f"%%scidb {options}\nbuild(<x:int64>[i=0:1999], i)")
        assert len(out.texts) == 1
        assert out.texts[0].endswith("rows 2,000 of 2,000 (pandas draws 10 of them)")
        assert "--all" not in out.texts[0]

    def test_the_schema_stands_above(self, shell: Any) -> None:
        out = shell.run("%%scidb\nbuild(<x:int64 not null>[i=0:9:0:5], i)")
        assert out.texts[0].splitlines()[0] == "build<x:int64 NOT NULL> [i=0:9:0:5]"
        assert "build&lt;x:int64 NOT NULL&gt; [i=0:9:0:5]" in out.htmls[0]

    @pytest.mark.parametrize("form", ["dataframe", "arrow", "numpy", "xarray"])
    def test_an_empty_result_says_so(self, shell: Any, form: str) -> None:
        out = shell.run(f"%%scidb --as {form}\nfilter({NUMBERS}, x < 0)")
        assert "The result is empty" in out.texts[-1]

    def test_nothing_is_fetched(self, shell: Any) -> None:
        out = shell.run(f"%%scidb --no-fetch\n{NUMBERS}")
        assert out.texts == ["done: build"]

    def test_afl_may_begin_on_the_line(self, shell: Any) -> None:
        out = shell.run("%%scidb -o found aggregate(\n  build(<x:int64>[i=0:9], i), sum(x))")
        assert out.error is None
        assert shell["found"]["x_sum"].tolist() == [45]

    def test_output_needs_a_result_and_nothing_is_run(self, shell: Any) -> None:
        name = fresh()
        out = shell.run(f"%%scidb -o found\nstore({NUMBERS}, {name})")
        assert out.traceback == [
            "MagicUsageError: -o takes the result of the last statement, and store has none."
        ]
        assert name not in shell.run("%scidb arrays").text

    def test_a_cell_of_comments_does_nothing(self, shell: Any) -> None:
        out = shell.run("%%scidb\n-- nothing here\n;")
        assert out.error is None
        assert out.text.strip() == ""


class TestErrors:
    def test_a_failed_query_is_short_and_points_at_the_users_text(self, shell: Any) -> None:
        shell["limit"] = 1234567890
        out = shell.run("%%scidb\nfilter(build(<x:int64>[i=0:9], i),\n  x > {{ limit }} and nope = 1)")
        head, text, carets = out.traceback
        assert head.startswith("QueryError: ")
        assert "nope" in head
        assert head.endswith("[SCIDB_LE_REF_NOT_FOUND]")
        assert text == "    x > {{ limit }} and nope = 1)"
        assert carets.index("^") == text.index("nope")
        assert "save(" not in "".join(out.traceback)

    def test_what_ran_before_is_told(self, shell: Any) -> None:
        name = fresh()
        out = shell.run(f"%%scidb\nstore({NUMBERS}, {name});\nremove({name});\nscan({name});\nscan({name})")
        assert out.error is not None
        assert out.error["ename"] == "QueryError"
        assert out.traceback[-1] == ("Statement 3 of 4 failed; statements 1 to 2 had run: store, remove.")
        assert f"scan({name});" in out.traceback[1]

    def test_the_exception_can_be_caught_by_its_class(self, shell: Any) -> None:
        out = shell.run(
            "from scidb_magic.errors import QueryError\n"
            "try:\n    %scidb scan(nope_nope)\nexcept QueryError as error:\n    code = error.code\n"
        )
        assert out.error is None
        assert shell["code"] == "SCIDB_LE_ARRAY_DOESNT_EXIST"

    def test_a_wrong_name_in_the_last_statement_leaves_nothing_half_done(self, shell: Any) -> None:
        name = fresh()
        out = shell.run(f"%%scidb\nstore({NUMBERS}, {name});\nscan({{{{ no_such_name }}}})")
        assert out.traceback == [
            "BindingError: {{ no_such_name }}: NameError: name 'no_such_name' is not defined",
            "  scan({{ no_such_name }})",
            "       ^^^^^^^^^^^^^^^^^^",
        ]
        assert name not in shell.run("%scidb arrays").text

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("%scidb --nope scan(A)", "There is no option --nope"),
            ("%scidb statsu", "did you mean %scidb status"),
            ("%scidb weather", "an array is read with %scidb scan(weather)"),
            ("%scidb --all status", "These options are for AFL"),
            ("%scidb http://cluster:8080", "%scidb connect URL"),
            ("%%scidb\nscan(A); {{ x", "has no '}}'"),
            ("%%scidb status\nscan(A)", "stands on a line of its own"),
            ("%scidb release now", "Too much on the line; it is: %scidb release [--orphans]."),
            ("%scidb show scan(A); scan(B)", "Too much on the line"),
            ("%scidb show {{ no_such_name }}", "no_such_name"),
            ("%scidb show", "What is to be shown?"),
        ],
    )
    def test_mistakes_are_one_sentence(self, shell: Any, line: str, message: str) -> None:
        out = shell.run(line)
        assert message in out.traceback[0]
        assert len(out.traceback) <= 3


class TestValues:
    def test_a_frame_is_uploaded(self, shell: Any) -> None:
        shell["frame"] = pd.DataFrame({"name": ["a", "b", "c"], "n": [1, 2, 2**53 + 1]})
        shell.run("found = %scidb filter({{ frame }}, n > {{ frame['n'].min() }})")
        assert shell["found"]["name"].tolist() == ["b", "c"]
        assert shell["found"]["n"].tolist() == [2, 2**53 + 1]

    def test_a_statement_takes_several_frames(self, shell: Any) -> None:
        shell["left"], shell["right"] = pd.DataFrame({"a": [1.5, 2.5]}), np.array([10, 20, 30])
        shell["third"] = pa.table({"t": ["x"]})
        shell.run(
            "found = %scidb cross_join(cross_join({{ left }} as l, {{ right }} as r) as b, {{ third }} as t)"
        )
        found = shell["found"].sort_values(["a", "v"])
        assert found["a"].tolist() == [1.5] * 3 + [2.5] * 3
        assert found["v"].tolist() == [10, 20, 30] * 2
        assert set(found["t"]) == {"x"}
        shell.run("left_over = %scidb filter(list('arrays'), regex(name, 'scidb_magic_upload.*'))")
        assert len(shell["left_over"]) == 0

    def test_an_error_beside_several_frames_has_its_place(self, shell: Any) -> None:
        shell["frame"] = pd.DataFrame({"a": [1.5, 2.5]})
        out = shell.run("%%scidb\ncross_join(\n  {{ frame }}, filter({{ frame }}, nope = 1))")
        source = "  {{ frame }}, filter({{ frame }}, nope = 1))"
        assert out.traceback[1:] == ["  " + source, "  " + " " * source.index("nope") + "^^^^"]
        shell.run("left_over = %scidb filter(list('arrays'), regex(name, 'scidb_magic_upload.*'))")
        assert len(shell["left_over"]) == 0

    def test_an_error_beside_a_frame_has_its_place(self, shell: Any) -> None:
        shell["frame"] = pd.DataFrame({"a": [1.5, 2.5]})
        out = shell.run("%%scidb\nfilter(\n  {{ frame }}, nope = 1)")
        assert out.traceback[1:] == ["  " + "  {{ frame }}, nope = 1)", "  " + " " * 15 + "^^^^"]

    def test_names_and_texts(self, shell: Any) -> None:
        name = fresh()
        shell["array"], shell["kind"] = name, "it's"
        out = shell.run("from scidb_magic import Name\ntarget = Name(array)\n")
        out = shell.run(
            "%%scidb -o found\nstore(build(<s:string>[i=0:1], {{ kind }}), {{ target }});\nscan({{ target }})"
        )
        assert out.error is None
        assert shell["found"]["s"].tolist() == ["it's", "it's"]
        shell.run("%scidb remove({{ target }})")


class TestSubcommands:
    def test_status(self, shell: Any, embedded: Any) -> None:
        for line in ("%scidb", "%scidb status"):
            out = shell.run(line)
            assert embedded.url in out.texts[0]
            assert "<b>SciDB session</b>" in out.htmls[0]
        assert "unconnected" in out.texts[0]
        shell.run(f"%%scidb --no-fetch\n{NUMBERS}")
        assert "idle" in shell.run("%scidb").texts[0]

    def test_the_life_of_a_slot(self, shell: Any) -> None:
        assert "mine" not in shell.run("%scidb slots").text
        shell.run("%scidb reconnect")
        assert "mine" in shell.run("%scidb slots").text
        assert shell.run("%scidb cancel").texts == ["No query is running."]
        assert shell.run("%scidb release").texts == ["No slot is held; the next query takes one."]
        assert "mine" not in shell.run("%scidb slots").text
        assert "released" in shell.run("%scidb").text

    def test_arrays_and_show(self, shell: Any) -> None:
        name = fresh("zebra")
        shell.run(f"%%scidb\nstore({NUMBERS}, {name})")
        assert name in shell.run("%scidb arrays").text
        assert name in shell.run("%scidb arrays zebra*").text
        assert name not in shell.run("%scidb arrays giraffe").text
        assert f"{name}<x:int64" in shell.run(f"%scidb show {name}").text
        shell.run(f"from scidb_magic import Name; target = Name('{name}')")
        assert f"{name}<x:int64" in shell.run("%scidb show {{ target }}").text
        assert "<y:" in shell.run("%scidb show build(<y:string>[i=0:3], 'a')").text
        shell.run(f"%scidb remove({name})")

    def test_a_subcommands_word_with_a_bracket_is_afl(self, shell: Any) -> None:
        name = fresh()
        shell.run(f"%%scidb\nstore({NUMBERS}, {name})")
        shell.run(f"found = %scidb show({name})")
        assert shell["found"]["schema"].iloc[0].startswith(name)
        shell.run(f"%scidb remove({name})")

    def test_operators(self, shell: Any) -> None:
        text = shell.run("%scidb operators cross_").text
        assert "cross_join" in text
        assert "redimension" not in text

    def test_help(self, shell: Any) -> None:
        manual = shell.run("%scidb help").texts[0]
        assert manual == shell.run("%scidb --help").texts[0]
        assert all(word in manual for word in ("--no-fetch", "%scidb connect", "{{ expression }}"))
        assert "filter(array, condition)" in shell.run("%scidb help filter").text
        assert shell.run("%scidb help no_such_operator").error is not None

    def test_config(self, shell: Any, embedded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SCIDB_MAGIC_PASSWORD", "geheim")
        monkeypatch.setenv("SCIDB_MAGIC_USER", "anna")
        shell.run(f"%scidb connect {embedded.url} --slot-wait 12.5")
        text = shell.run("%scidb config").texts[0]
        lines = {line.split()[0]: line for line in text.splitlines()}
        assert "12.5" in lines["slot_wait"]
        assert "argument" in lines["slot_wait"]
        assert "SCIDB_MAGIC_USER" in lines["user"]
        assert "default" in lines["display_limit"]
        assert "********" in lines["password"]
        assert "geheim" not in text
        assert shell.run("%scidb config slot").texts[0].count("\n") == 1


class TestSecrets:
    @pytest.mark.parametrize(
        "line",
        [
            "%scidb connect http://anna:geheim@localhost:8080",
            "%scidb connect http://localhost:8080 --user anna --password geheim",
            "%scidb http://anna:geheim@localhost:8080",
            "%scidb --password geheim scan(A)",
            "%scidb connect http://localhost:8080 anna geheim",
        ],
    )
    def test_a_typed_password_is_refused(self, shell: Any, line: str) -> None:
        out = shell.run(line)
        shown = "\n".join(out.traceback) + out.text
        assert "geheim" not in shown
        assert len(out.traceback) == 1

    @pytest.mark.parametrize(
        "line",
        [
            "%config SciDBMagics.url = 'http://anna:geheim@localhost:8080'",
            "%config SciDBMagics.password = 'geheim'",
        ],
    )
    @pytest.mark.filterwarnings("ignore:Config option")
    def test_no_password_gets_in_by_a_trait(
        self, shell: Any, line: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        out = shell.run(line)
        said = capfd.readouterr()
        assert "geheim" not in out.text + said.out + said.err
        assert api.current().settings.password is None
        assert "geheim" not in str(api.current().settings.url)

    def test_the_password_comes_from_the_auth_file(
        self, shell: Any, embedded: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "iquery.auth"
        path.write_text('{"user-name": "anna", "user-password": "geheim"}')
        monkeypatch.setenv("SCIDB_CONFIG_USER", str(path))
        assert shell.run(f"%scidb connect {embedded.url} --user anna").error is None
        assert api.current().settings.password == "geheim"
        assert "geheim" not in repr(api.current().settings)


class TestExtension:
    def test_load_is_silent_and_can_be_repeated(self, bare_shell: Any) -> None:
        for _ in range(2):
            out = bare_shell.run("%load_ext scidb_magic")
            assert out.error is None
        api_before = api.current()
        bare_shell.ip.extension_manager.loaded.discard("scidb_magic")
        assert bare_shell.run("%load_ext scidb_magic").text.strip() == ""
        assert api.current() is api_before
        assert [type(c).__name__ for c in bare_shell.ip.configurables].count("SciDBMagics") == 1

    def test_unload_undoes_it_and_releases_the_slot(self, shell: Any) -> None:
        shell.run(f"%%scidb --no-fetch\n{NUMBERS}")
        session = api.current()
        assert session.status().state == "idle"
        shell.run("%unload_ext scidb_magic")
        assert session.status().state == "released"
        assert shell.ip.find_line_magic("scidb") is None
        assert shell.ip.find_cell_magic("scidb") is None
        assert "SciDBMagics" not in {type(c).__name__ for c in shell.ip.configurables}
        assert "SciDBMagics" not in shell.ip.magics_manager.registry

    def test_reload_keeps_the_session(self, shell: Any) -> None:
        before = api.current()
        assert shell.run("%reload_ext scidb_magic").text.strip() == ""
        assert api.current() is before
        assert shell.run(f"%%scidb\naggregate({NUMBERS}, count(*))").error is None

    def test_traits_are_the_settings(self, shell: Any, embedded: Any) -> None:
        shell.run("%config SciDBMagics.display_limit = 3")
        assert "rows 3 of more than 3" in shell.run(f"%%scidb\n{NUMBERS}").text
        assert api.current().settings.url == embedded.url
        assert shell.run("%config SciDBMagics.display_limit").value == 3
        assert "display_limit" in shell.run("%config SciDBMagics").streams
        assert "password" not in shell.run("%config SciDBMagics").streams

    def test_a_later_connect_is_not_undone_by_a_trait(self, shell: Any, embedded: Any) -> None:
        shell.run("%config SciDBMagics.url = 'http://localhost:9'")
        assert api.current().settings.url == "http://localhost:9"
        shell.run(f"%scidb connect {embedded.url}")
        shell.run("%config SciDBMagics.display_limit = 5")
        assert api.current().settings.url == embedded.url

    def test_setting_a_trait_keeps_the_session(self, shell: Any) -> None:
        shell.run(f"%%scidb --no-fetch\n{NUMBERS}")
        before = api.current().status().queries
        shell.run("%config SciDBMagics.display_limit = 5")
        assert api.current().status().queries == before
        assert api.current().status().state == "idle"

    def test_settings_of_the_configuration_file(self, bare_shell: Any) -> None:
        bare_shell.ip.config.SciDBMagics.display_limit = 17
        bare_shell.run("%load_ext scidb_magic")
        assert api.current().settings.display_limit == 17
