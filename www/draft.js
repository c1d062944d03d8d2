// What was typed and not stored yet: it outlives a look at another page, and the browser asks before it is lost for good.
import { session } from "./api.js";
import { useLayoutEffect } from "./vendor/preact.js";

const drafts = new Map();
addEventListener("beforeunload", event => { if (drafts.size) event.preventDefault(); });

// Whoever logs in next is not to find them: there may be passwords among them.
session.watch(() => {
	if (session.value && !session.value.role && !session.value.expired)
		drafts.clear();
});

export function useDraft(key, dirty, draft) {
	useLayoutEffect(() => {	// not later: a form that leaves with its Create would not say any more that it is done
		if (dirty)
			drafts.set(key, draft);
		else
			drafts.delete(key);
	});
}
export const keptDraft = key => drafts.get(key);
export const dropDraft = key => drafts.delete(key);
