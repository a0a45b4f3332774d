"""views.*: open, push and update modals, and publish Home tabs."""

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.blockkit import check_view
from bot.sandbox.slack.method import method
from bot.sandbox.slack.views import View
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import Workspace


@method("views.open", required="trigger_id view")
def open_view(workspace: Workspace, args: Arguments) -> Json:
    """Open a modal for the person of the trigger id; after a refused view the trigger id is still usable."""
    user, _ = workspace.triggers.check(args.text("trigger_id"))
    content = check_view(args.structure("view"), workspace.ids, kind="modal")
    view = workspace.views.open(user, content)
    workspace.triggers.use_up(args.text("trigger_id"))
    return _shown(workspace, view)


@method("views.push", required="trigger_id view")
def push(workspace: Workspace, args: Arguments) -> Json:
    """Open a modal on top of the one that the trigger id came from; three at most."""
    _, view_id = workspace.triggers.check(args.text("trigger_id"))
    below = workspace.views.get(view_id) if view_id else None
    if below is None:
        raise SlackError("invalid_trigger_id")
    content = check_view(args.structure("view"), workspace.ids, kind="modal")
    view = workspace.views.open(below.user, content, onto=below)
    workspace.triggers.use_up(args.text("trigger_id"))
    return _shown(workspace, view)


@method("views.update", required="view", optional="view_id external_id hash")
def update(workspace: Workspace, args: Arguments) -> Json:
    """Change an open modal; with `hash`, only if it is unchanged since the app saw it."""
    if args.has("view_id"):
        view = workspace.views.get(args.text("view_id"))
    elif args.has("external_id"):
        view = workspace.views.by_external_id(args.text("external_id"))
    else:
        raise SlackError("invalid_arguments", ["missing required field: view_id [json-pointer:/]"])
    if view is None:
        raise SlackError("not_found")
    content = check_view(args.structure("view"), workspace.ids, kind=view.content["type"])
    if args.has("hash") and args.text("hash") != view.hash:
        raise SlackError("hash_conflict", view=workspace.view_as_json(view))
    workspace.views.replace(view, content)
    return _shown(workspace, view)


@method("views.publish", required="user_id view", optional="hash")
def publish(workspace: Workspace, args: Arguments) -> Json:
    """Show a person their Home tab."""
    user = workspace.users.get(args.text("user_id"))
    if user is None:
        raise SlackError("user_not_found")
    content = check_view(args.structure("view"), workspace.ids, kind="home")
    home = workspace.views.home(user.id)
    if args.has("hash") and home is not None and args.text("hash") != home.hash:
        raise SlackError("hash_conflict", view=workspace.view_as_json(home))
    return _shown(workspace, workspace.views.publish(user.id, content))


def _shown(workspace: Workspace, view: View) -> Json:
    workspace.touch("view")
    return {"view": workspace.view_as_json(view)}
