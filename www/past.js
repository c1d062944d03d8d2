// The revisions that a filter finds, newest first: older ones when asked for, new ones by themselves.
import { call, connection } from "./api.js";
import { newestRevision } from "./live.js";
import { useStore } from "./store.js";
import { useEffect, useRef, useState } from "./vendor/preact.js";

const PAGE = 100;

const none = { items: [], next: null, newest: 0, busy: true, error: null };

// Pages until `enough` says so or there is no other.  A page may hold few revisions or none, and more may follow all the same.
async function pages(filter, cursor, signal, enough, take) {
	do {
		const { data } = await call("GET", "/revisions", { query: { ...filter, limit: PAGE, cursor }, signal });
		cursor = data.next;
		take(data);
	} while (cursor && !enough());
}

// key: of the filter.  newest: of all revisions, up to which `items` has them.  {items, next, newest, busy, error, older}
export function usePast(filter, key) {
	const [state, set] = useState(none), now = useRef(state), abort = useRef(null), latest = useStore(newestRevision), net = useStore(connection);
	const put = part => { now.current = { ...now.current, ...part }; set(now.current); };

	const run = async work => {
		const own = abort.current;
		try {
			await work(own.signal);
		} catch (error) {
			if (!own.signal.aborted)
				put({ error });
		}
	};

	const older = () => run(async signal => {
		const had = now.current.items.length;
		put({ busy: true, error: null });
		try {
			await pages(filter, now.current.next || undefined, signal, () => now.current.items.length - had >= PAGE / 2, page => !signal.aborted &&
				put({ items: [...now.current.items, ...page.items], next: page.next, newest: now.current.newest || page.revision }));
		} finally {
			if (!signal.aborted)
				put({ busy: false });
		}
	});

	// What came since, put on top.  Asked for and not taken from the event: events may have been missed, and the filter is the server's.
	const newer = () => run(async signal => {
		const top = now.current.newest, fresh = [];
		let reached = false, newest = 0;
		await pages(filter, undefined, signal, () => reached, page => {
			newest ||= page.revision;
			fresh.push(...page.items.filter(item => item.revision > top));
			// The cursor is a revision: all above it was looked at.
			reached = page.items.some(item => item.revision <= top) || Number(page.next?.slice(1)) <= top;
		});
		if (!signal.aborted)
			put({ items: [...fresh, ...now.current.items.filter(item => !fresh.some(one => one.revision === item.revision))], newest, error: null });
	});

	useEffect(() => {
		abort.current = new AbortController();
		now.current = none;
		set(none);
		older();
		return () => abort.current.abort();
	}, [key]);

	// One question at a time, however many revisions come; of a filter that was given up, none.
	const asking = useRef(null);
	useEffect(() => {
		const own = abort.current, behind = () => own === abort.current && (newestRevision.value?.revision || 0) > now.current.newest;
		if (asking.current === own || !now.current.newest)
			return;
		asking.current = own;
		(async () => {
			do
				await newer();
			while (behind() && !now.current.error);
			if (asking.current === own)
				asking.current = null;
		})();
	}, [latest?.revision, net.state, state.newest > 0]);

	return { ...state, older };
}
