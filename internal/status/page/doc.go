// Package page is the status page on the private listener: campaigns with their
// progress, a campaign's numbers with what their reasons mean for people, the
// timeline of a number, dead letters, faults of the plan files, and health.
//
// It only reads. What it shows comes from an index of the ledger in memory, which
// watches keep up to date ([Page.Run]); so a page costs no request to NATS for
// each number, and a campaign of thousands is shown a page at a time.
//
// Each page is made of blocks and rows, each an element with an id. The server
// renders them with one set of templates, for the whole page and for what it sends
// over a stream of server-sent events when something changed: only the elements
// that differ, together, a few times a second at most. Without JavaScript the page
// is complete and does not move by itself.
//
// Texts of Telnyx and of plan files are put into the page as text. Besides, the
// page's Content-Security-Policy lets nothing run and nothing load but its own
// script, style and icon.
package page
