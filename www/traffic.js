// How many calls gateways carry, asked for again and again while somebody looks; the switch tells by itself only when one enters or leaves routing.
import { get, path } from "./api.js";
import { tables, takeStatus } from "./live.js";
import { useEffect } from "./vendor/preact.js";

const LIST_MS = 2000, ONE_MS = 1000;
export const MOST = 1000;	// gateways of one kind; more are not asked for that often
const KEPT = 60;	// samples of each, two minutes of a list

const samples = new Map();	// "kind/name" → calls at each asking, oldest first

export const callsOf = (kind, name) => samples.get(`${kind}/${name}`) || [];

function keep(kind, status) {
	const key = `${kind}/${status.name}`;
	samples.set(key, [...(samples.get(key) || []), status.calls].slice(-KEPT));
}

// ask() now and then again, each time `every` ms after the answer; a hidden page asks nothing.
function repeat(ask, every) {
	let timer, over = false;
	const round = async () => {
		if (!document.hidden)
			await ask().catch(() => {});
		if (!over)
			timer = setTimeout(round, every);
	};
	round();
	return () => { over = true; clearTimeout(timer); };
}

async function askAll(kind) {
	if (tables[kind].value.state !== "loaded" || tables[kind].value.rows.size > MOST)
		return;
	const { items } = await get(path(kind), { status: true, limit: MOST });
	for (const { status } of items) {
		keep(kind, status);
		takeStatus(kind, status);
	}
}

// The traffic of all gateways of the kind, in its table and in callsOf().
export function useTraffic(kind) {
	useEffect(() => repeat(() => askAll(kind), LIST_MS), [kind]);
}

// Of one gateway.
export function useTrafficOf(kind, name) {
	useEffect(() => repeat(async () => takeStatus(kind, await get(path(kind, name, "status"))), ONE_MS), [kind, name]);
}
