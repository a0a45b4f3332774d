"""The people, groups and channels that a sandbox starts with; tests may change all of them."""

from bot.sandbox.slack.workspace import Workspace

OTHER_TEAM = "T0ELSEWHERE"


def seed(workspace: Workspace) -> None:
    """Fill a workspace: reviewers alice, bob, carol (a lead) and dan; olga, gus, dora, robo and stan may not decide."""
    alice, bob = workspace.add_user("alice"), workspace.add_user("bob")
    carol, dan = workspace.add_user("carol"), workspace.add_user("dan")
    olga = workspace.add_user("olga")
    gus = workspace.add_user("gus", is_restricted=True)
    dora = workspace.add_user("dora", deleted=True)
    robo = workspace.add_user("robo", is_bot=True, email="")
    robo.bot_id, robo.app_id = workspace.ids.make("B"), workspace.ids.make("A")
    stan = workspace.add_user("stan", team_id=OTHER_TEAM, is_stranger=True)
    workspace.add_group("reviewers", [alice, bob, carol, dan])
    workspace.add_group("leads", [carol])
    workspace.add_channel("vuln-review", [alice, bob, carol, dan, olga, gus, dora, robo, stan])
    workspace.add_channel("incidents", [alice, bob, carol])
