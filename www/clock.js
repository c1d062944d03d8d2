// The server's clock, by the Date of its answers: the times it tells are its own, and a browser's clock may be wrong by hours.
const DATE_MS = 1000;	// a Date has whole seconds

let ahead = 0;	// ms that the server's clock is before the browser's

export const serverNow = () => Date.now() + ahead;

// An answer with this Date was asked for and heard at these times of the browser; while they fit, nothing is corrected.
export function hearDate(date, asked, heard) {
	const told = Date.parse(date);
	if (asked + ahead > told + DATE_MS)
		ahead = told + DATE_MS - asked;
	else if (heard + ahead < told)
		ahead = told - heard;
}
