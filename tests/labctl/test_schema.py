"""The JSON schema that editors complete from is the one the program checks with."""

from labctl.config import json_schema
from labctl.starter import configs_folder


def test_the_schema_beside_the_ready_campaigns_is_up_to_date() -> None:
    kept = (configs_folder() / "campaign.schema.json").read_text(encoding="utf-8")
    assert kept == json_schema(), "write it anew with: labctl schema > configs/campaign.schema.json"
