"""Once the scores are published, the look-ups that are asked for most are cached."""

from dagster import HookContext, success_hook

from assets.schemas.predictions import SCORES
from resources.common.errors import BadInput
from serving.crate_lookup import most_depended_on, warm

MAX_WARMED = 20  # crates; each look-up takes about 0.1 s


@success_hook(required_resource_keys={"store", "cache"})
def warm_look_ups(context: HookContext) -> None:
    """Caches the look-ups of the crates that most crates build on, after the step `scores`."""
    if context.op.name != SCORES.name:
        return
    store, cache = context.resources.store, context.resources.cache.open()
    try:
        warmed = warm(store, cache, most_depended_on(store, MAX_WARMED))
    except BadInput as error:  # the scores are published all the same
        context.log.warning(f"no look-up is cached: {error}")
    else:
        context.log.info(f"the look-ups of {warmed} crates are cached")
