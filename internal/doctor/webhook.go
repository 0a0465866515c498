package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// Planned is the webhookURL of a planned campaign. Wrong is a relative clause that says why
// events may not reach Greenlight there, empty if they do.
type Planned struct{ Plan, WebhookURL, Wrong string }

// maxURLs bounds the URLs in a message, in number, and maxURL each of them in length.
const (
	maxURLs = 3
	maxURL  = 200
)

// WebhookURLs checks whether Telnyx posts the events of planned campaigns to this webhook.
// Unread counts campaigns that were not read.
func WebhookURLs(planned []Planned, unread int) Finding {
	f := Finding{Check: CheckWebhookURL, Facts: map[string]any{"campaigns": len(planned)}}
	var wrong []string
	for _, c := range planned {
		if c.Wrong != "" {
			wrong = append(wrong, status.Plain(c.Plan, 60)+" ("+cmp.Or(status.Plain(c.WebhookURL, maxURL), "none")+", "+c.Wrong+")")
		}
	}
	f.Facts["wrong"] = len(wrong)
	rest := ""
	if unread > 0 {
		rest = fmt.Sprintf(" Not checked: %s; greenlight plan preflight checks all.", status.Count(unread, "other campaign"))
	}
	if len(wrong) == 0 {
		return f.is(OK, fmt.Sprintf("The webhookURL of %s leads here, as far as it can be checked.%s", status.Count(len(planned), "planned campaign"), rest), "")
	}
	named := strings.Join(wrong[:min(len(wrong), maxURLs)], "; ")
	if more := len(wrong) - maxURLs; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return f.is(Warn, fmt.Sprintf("Events may not reach Greenlight at the webhookURL of %s: %s.%s", status.Count(len(wrong), "planned campaign"), named, rest),
		"Set it with greenlight campaigns point --url https://<your host>/webhooks/telnyx. If it is right, give your URL with --public-url.")
}

// Deliveries checks Telnyx's log of its deliveries, as far as it was read, since the given
// time. URLs to which the latest delivery failed are a warning.
func Deliveries(all []telnyx.Delivery, since time.Time) Finding {
	f := Finding{Check: CheckDeliveries, Facts: map[string]any{"deliveries": len(all)}}
	byURL := map[string][]telnyx.Delivery{}
	var urls []string
	for _, d := range all {
		url := d.Last().URL
		if byURL[url] == nil {
			urls = append(urls, url)
		}
		byURL[url] = append(byURL[url], d)
	}
	level, failed := OK, 0
	var sentences []string
	for _, url := range urls {
		sentence, failures, isFailing := deliveriesTo(url, byURL[url])
		failed += failures
		if isFailing {
			level = Warn
		}
		if failures > 0 && len(sentences) < maxURLs {
			sentences = append(sentences, sentence)
		}
	}
	f.Facts["failed"] = failed
	switch {
	case len(all) == 0:
		return f.is(OK, "Telnyx's log has no deliveries of 10DLC events since "+clock(since)+".", "")
	case failed == 0:
		return f.is(OK, fmt.Sprintf("Telnyx reports %s of 10DLC events since %s, none failed.", deliveries(len(all), ""), clock(since)), "")
	}
	fix := ""
	if level == Warn {
		fix = "Check that this URL leads to the webhook, and its log. greenlight deliveries --failed lists them; the assigner reconciles what they were about."
	}
	return f.is(level, strings.Join(sentences, " "), fix)
}

// deliveriesTo describes the failures at one URL. It is failing if the latest delivery
// failed.
func deliveriesTo(url string, all []telnyx.Delivery) (sentence string, failures int, isFailing bool) {
	slices.SortStableFunc(all, func(a, b telnyx.Delivery) int { return a.StartedAt.Compare(b.StartedAt.Time) })
	var first, last telnyx.Delivery
	for _, d := range all {
		if d.Status != telnyx.DeliveryFailed {
			continue
		}
		if failures == 0 {
			first = d
		}
		failures, last = failures+1, d
	}
	isFailing = all[len(all)-1].Status == telnyx.DeliveryFailed
	ending := "was not answered"
	if answer := last.Last().Answer; answer > 0 {
		ending = fmt.Sprintf("answered %d", answer)
	}
	sentence = fmt.Sprintf("Telnyx reports %s to %s since %s, the last %s", deliveries(failures, "failed "),
		cmp.Or(status.Plain(url, maxURL), "an unknown URL"), clock(first.StartedAt.Time), ending)
	if !isFailing {
		sentence += "; later ones arrived"
	}
	return sentence + ".", failures, isFailing
}

// deliveries counts deliveries of a kind, which is an adjective and a blank.
func deliveries(n int, kind string) string {
	if n == 1 {
		return "1 " + kind + "delivery"
	}
	return fmt.Sprintf("%d %sdeliveries", n, kind)
}

// clock writes a time of the last day.
func clock(at time.Time) string { return at.UTC().Format("15:04 MST") }
