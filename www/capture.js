// The messages of GET /trace that are looked at, and those that come after them.
import { call, get, path } from "./api.js";
import { Store } from "./store.js";

const FIRST = 500, PAGE = 1000, MOST = 20000;
const PAGES_AT_ONCE = 5;	// of one round of following: a flood must not hold the panel
const PAGES_OF_ALL = 500;
const EVERY_MS = 1000;
const BEGINNING = "1970-01-01T00:00:00Z";

export const depths = [FIRST, PAGE, MOST];	// how many of the newest messages are loaded
export const MOST_PACKETS = PAGE;		// of one file

export const itemKey = item => `${item.seq} ${item.at}`;	// a switch that starts again counts anew

// A call, while it lasts, or its record.
async function callNamed({ call: id, record }) {
	if (record)
		return get(path("cdrs", record));
	try {
		return { ...await get(path("calls", id)), live: true };
	} catch (error) {
		if (error.status !== 404)
			throw error;
		return get(path("cdrs", id));
	}
}

const inTurn = (a, b) => a.at < b.at ? -1 : a.at > b.at ? 1 : a.seq - b.seq;

export class Capture {
	// query: {call, record, registration, gateway, number, call_id, since}; a call, or its record, stands for the Call-IDs of its two legs.
	constructor(query, depth) {
		this.query = query;
		this.depth = depth;
		this.known = new Set();
		this.call = null;
		this.store = new Store({ items: [], call: null, state: "loading", error: null, older: false });
		this.closed = false;
	}

	async filter() {
		const { call: id, record, call_id: given, registration, gateway, number } = this.query;
		if (!id && !record)
			return { registration, gateway, number, call_id: given };
		if (!this.call || this.call.live)
			this.call = await callNamed(this.query).catch(error => { if (!this.call) throw error; return this.call; });	// between its end and its record
		return { registration, gateway, number, call_id: [this.call.call_id_in, this.call.call_id_out].filter(Boolean).join(",") };
	}

	// From `since` on, so many pages; of them the newest messages.
	async pages(filter, since, most) {
		let found = [], cursor, count = 0;
		do {
			const answer = await get("/trace", { ...filter, since: cursor ? undefined : since, limit: PAGE, cursor });
			found = [...found, ...answer.items].slice(-MOST);
			cursor = answer.next;
		} while (cursor && ++count < most && !this.closed);
		return found;
	}

	// The new ones among them join those that are known.
	take(found) {
		const fresh = found.filter(item => !this.known.has(itemKey(item))), { items } = this.store.value;
		for (const item of fresh)
			this.known.add(itemKey(item));
		const all = fresh.length ? [...items, ...fresh].sort(inTurn).slice(-MOST) : items;
		if (this.known.size > 2 * MOST)
			this.known = new Set(all.map(itemKey));
		return all;
	}

	async round(ask) {
		let more;
		try {
			more = { error: null, ...await ask(await this.filter()) };
		} catch (error) {
			more = { error };
		}
		if (!this.closed)
			this.store.set({ ...this.store.value, call: this.call, state: "loaded", ...more });
	}

	load() {
		return this.round(async filter => {
			if (this.query.since || this.depth === MOST)
				return { items: this.take(await this.pages(filter, this.query.since || BEGINNING, PAGES_OF_ALL)), older: false };
			const { items } = await get("/trace", { ...filter, limit: this.depth });
			return { items: this.take(items), older: items.length === this.depth };
		});
	}

	next() {
		return this.round(async filter => {
			const { items } = this.store.value, since = items.length ? items[items.length - 1].at : this.query.since;
			const found = since ? await this.pages(filter, since, PAGES_AT_ONCE) : (await get("/trace", { ...filter, limit: this.depth })).items;
			return { items: this.take(found) };
		});
	}

	// Gives what ends it.
	follow() {
		let timer, stopped = false;
		const again = async () => {
			if (this.store.value.state === "loaded")
				await this.next();
			if (!stopped && !this.closed)
				timer = setTimeout(again, EVERY_MS);
		};
		again();
		return () => { stopped = true; clearTimeout(timer); };
	}

	close() {
		this.closed = true;
	}

	// What to ask the server for, so that its file has the newest of the messages shown.
	async packetsQuery() {
		const own = this.store.value.items.slice(-MOST_PACKETS);
		return { ...await this.filter(), since: own[0].at, limit: own.length };
	}
}

// Bytes that could steer a terminal are shown as '?', as in the server's own text.
const printable = message => message.replace(/\r\n/g, "\n").replace(/[^\P{Cc}\n\t]/gu, "?");

export const asText = items => items.map(item => `${item.at}  ${item.direction}  ${item.transport}  ${item.local} ${item.direction === "out" ? "->" : "<-"} ${item.remote}${item.registration ? `  registration ${item.registration}` : ""}\n\n${printable(item.message)}\n`).join("\n");
