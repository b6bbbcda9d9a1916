"""JUnit XML: a test suite for each lane, a test case for each case."""

import xml.etree.ElementTree as ET
from pathlib import Path

from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.results import Verdict


def write(path: Path, report: Report) -> None:
    """Write the file."""
    root = ET.Element("testsuites", name="vexfs-conformance", time=f"{report.footer.seconds:.3f}")
    for lane in dict.fromkeys(result.lane for result in report.results):
        own = [result for result in report.results if result.lane == lane]
        failed = sum(result.bad for result in own)
        skipped = sum(result.verdict in (Verdict.NOT_APPLICABLE, Verdict.KNOWN) for result in own)
        suite = ET.SubElement(
            root, "testsuite", name=lane, tests=str(len(own)), failures=str(failed), skipped=str(skipped), errors="0",
            time=f"{sum(result.seconds for result in own):.3f}",
        )  # fmt: skip
        for result in own:
            folder, _, name = result.case.partition("/")
            case = ET.SubElement(suite, "testcase", classname=f"{lane}.{folder}", name=name, time=f"{result.seconds:.3f}")
            if result.bad:
                text = "\n".join(f"{each['place']}: want {each['want']}, got {each['got']}" for each in result.differences)
                ET.SubElement(case, "failure", message=_clean(f"step {result.step}")).text = _clean(text or result.why)
            elif result.verdict is not Verdict.PASS:
                ET.SubElement(case, "skipped", message=_clean(f"{result.verdict}: {result.why}"))
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    """Without the characters that XML does not have."""
    return "".join(char if char >= " " or char in "\t\n" else "�" for char in text)
