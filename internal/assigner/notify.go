package assigner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telemetry"
)

const (
	// maxNumbers is how many phone numbers a notice names for one reason.
	maxNumbers = 3
	// maxDetail bounds what a notice repeats of Telnyx's words.
	maxDetail = 200
)

// news is what there is to report about a campaign.
type news struct {
	kind notice.Kind
	// about identifies the news. The same news is reported once.
	about string
	// waiting are the numbers that need a person, by reason.
	waiting map[ledger.Reason][]ledger.Number
	counts  map[ledger.State]int
	total   int
}

// attached is how many numbers are on the campaign.
func (v news) attached() int { return v.counts[ledger.Attached] + v.counts[ledger.Sendable] }

// newsOf returns what there is to report about a planned campaign and its numbers. The kind is
// empty if there is nothing:
//
//	campaign            numbers                                         kind
//	rejected, expired,
//	missing, unknown    any                                             needs_person
//	others              one is stuck                                    stuck
//	others              one needs a person, and each is attached        needs_person
//	others              some are attached, each other needs a person    partial
//	others              one needs a person                              needs_person
//	approved            each is attached                                completed
//	others              others                                          –
//
// A number is attached if Telnyx's record is on this campaign, even if carriers have not
// finished; but it needs a person if a carrier refused it. The counts are reported, but a
// change of them alone is not news, since numbers are attached one by one. A changed plan is
// news once all of its numbers are done. Leaving numbers count only if they need a person.
func newsOf(c ledger.Campaign, numbers, leaving []ledger.Number) news {
	v := news{waiting: map[ledger.Reason][]ledger.Number{}, counts: map[ledger.State]int{}, total: len(numbers)}
	settled, needed := 0, 0
	for _, n := range numbers {
		v.counts[n.State]++
		needs := n.NeedsPerson && !n.Reason.OfAccount() // the account is reported once
		if needs {
			v.waiting[n.Reason] = append(v.waiting[n.Reason], n)
			needed++
		}
		if needs || n.IsOn() {
			settled++
		}
	}
	for _, n := range leaving {
		if n.NeedsPerson && !n.Reason.OfAccount() {
			v.waiting[n.Reason] = append(v.waiting[n.Reason], n)
			needed++
		}
	}
	switch {
	case c.Phase.NeedsPerson():
		v.kind = notice.NeedsPerson
	case v.total == 0, needed == 0 && (c.Phase != ledger.PhaseApproved || v.attached() < v.total):
		return v
	case needed == 0:
		v.kind = notice.Completed
	case len(v.waiting[ledger.Stuck]) > 0:
		v.kind = notice.Stuck
	case 0 < v.attached() && v.attached() < v.total && settled == v.total:
		v.kind = notice.Partial
	default:
		v.kind = notice.NeedsPerson
	}
	if c.Phase.NeedsPerson() {
		v.about = string(v.kind) + " " + string(c.Phase)
		return v
	}
	// It has no phase, so that nothing is reported again after another review. "ready" is a
	// word of the first edition: an upgrade must not report anything twice.
	v.about = fmt.Sprint(v.kind, " ready ", v.reasons())
	if v.kind == notice.Completed || v.kind == notice.Partial {
		v.about += fmt.Sprintf(" %s %d", c.EntryHash, v.total)
	}
	return v
}

func (v news) reasons() []ledger.Reason { return slices.Sorted(maps.Keys(v.waiting)) }

// notify stores a notice if there is news about the campaign that was not reported before. The
// notice is stored before the record: after a crash in between, it is stored again under the
// same key, which counts once. The other order could lose it. If it cannot be stored, the next
// reconcile tries again.
func (r *reconcile) notify(ctx context.Context, c *ledger.Campaign) {
	if !r.planned {
		c.Reported = ""
		return
	}
	var numbers []ledger.Number
	for _, number := range r.plannedNumbers() {
		numbers = append(numbers, r.known(number))
	}
	var leaving []ledger.Number
	for _, number := range r.leaving() {
		leaving = append(leaving, r.known(number))
	}
	v := newsOf(*c, numbers, leaving)
	before := r.entry.Campaign
	if v.about == before.Reported {
		return
	}
	// A record of an earlier version does not have Reported. An upgrade must not send a
	// completed notice for every campaign.
	upgraded := before.Phase == ledger.PhaseApproved && before.NoticedAt.IsZero()
	if v.kind == "" || v.kind == notice.Completed && upgraded {
		c.Reported = v.about
		return
	}
	n := notice.Notice{
		Kind: v.kind, Text: v.text(*c), Plan: c.Plan, CampaignID: c.ID, Counts: v.counts, Reasons: v.reasons(), At: r.a.now().UTC(),
	}
	key := fmt.Sprintf("%s %d %s", c.ID, r.entry.Revision, v.about)
	if r.a.publish(ctx, n, key) {
		c.Reported = v.about
	}
}

// notifyEnd stores one notice about a campaign that ends soon and is not renewed.
func (r *reconcile) notifyEnd(ctx context.Context, c *ledger.Campaign) {
	sentence := c.EndSentence(r.a.now())
	if sentence == "" || c.EndReported.Equal(c.EndsAt) {
		return
	}
	n := notice.Notice{Kind: notice.ExpiresSoon, Text: "Expires soon: campaign " + sentence, Plan: c.Plan, CampaignID: c.ID, At: r.a.now().UTC()}
	if r.a.publish(ctx, n, fmt.Sprintf("%s %s %s", c.ID, n.Kind, c.EndsAt)) {
		c.EndReported = c.EndsAt
	}
}

// publish stores a notice, and reports whether it is stored. If the campaign is on hold, the
// notice says so first.
func (a *Assigner) publish(ctx context.Context, n notice.Notice, key string) bool {
	if a.notices == nil {
		return false // a command, whose output the person sees
	}
	if hold, err := a.ledger.ReadHold(ctx); err == nil {
		if by, held := hold.Of(append(a.observer.campaigns.known(n.CampaignID).IDs(), n.CampaignID)...); held {
			n.Text = "On hold by " + strings.TrimRight(by.String(), ". ") + ". " + n.Text
		}
	}
	stored, err := a.notices.Publish(ctx, n, key)
	line := a.log.Info()
	if err != nil {
		a.metrics.unstored.Inc()
		line = a.log.Warn().Err(err)
	}
	line = line.Str(telemetry.KeyNotice, string(n.Kind)).Str(telemetry.KeyCampaign, n.CampaignID).Str(telemetry.KeyPlan, n.Plan)
	switch {
	case err != nil:
		line.Msg("a notice could not be stored; the next reconcile tries again")
	case stored:
		a.metrics.notices.WithLabelValues(string(n.Kind)).Inc()
		line.Msg(n.Text)
	}
	return err == nil
}

// alarm logs that nothing is sent for the account, and stores a notice. The notice is the same
// for all assigners within an hour.
func (a *Assigner) alarm(reason ledger.Reason, cause error) {
	advice, now := reason.Advice(), a.now().UTC()
	a.log.Error().Str(telemetry.KeyReason, string(reason)).Err(cause).Msg(sentences(advice.Why, advice.Next, advice.Action))
	a.publish(context.Background(), notice.Notice{
		Kind: notice.NeedsPerson, Reasons: []ledger.Reason{reason}, At: now,
		Text: sentences("Action needed: "+advice.Why, quote("Telnyx said", cause.Error()), advice.Next, advice.Action),
	}, fmt.Sprintf("account %s %s", reason, now.Truncate(time.Hour)))
}

// headings begin the messages.
var headings = map[notice.Kind]string{
	notice.Completed: "Completed", notice.Partial: "Partly done", notice.NeedsPerson: "Action needed", notice.Stuck: "Stuck",
}

// text is the message for people.
func (v news) text(c ledger.Campaign) string {
	text := []string{fmt.Sprintf("%s: %d of %s attached to campaign %s (%s).", headings[v.kind], v.attached(), numbersOf(v.total), c.Plan, c.ID)}
	switch {
	case v.kind == notice.Completed:
		if sendable := v.counts[ledger.Sendable]; sendable < v.total {
			text = append(text, fmt.Sprintf("So far, %d can send; the carriers are processing the rest.", sendable))
		}
		text = append(text, "No action is needed.")
	case c.Phase.NeedsPerson():
		text = append(text, c.Phase.Sentence(), quote("Telnyx said", c.Detail))
	default:
		for _, reason := range v.reasons() {
			text = append(text, explanations(reason, v.waiting[reason])...)
		}
		text = append(text, "Run greenlight status for the rest.")
	}
	return sentences(text...)
}

// explanations says what a reason means for these numbers, and what to do. That may differ
// between numbers that are on the campaign and others.
func explanations(reason ledger.Reason, numbers []ledger.Number) (text []string) {
	said := map[string][]string{}
	for _, n := range numbers {
		advice := ledger.Advise(n, ledger.Campaign{})
		what := sentences(advice.Why, advice.Action)
		said[what] = append(said[what], n.Number)
	}
	for _, what := range slices.Sorted(maps.Keys(said)) {
		text = append(text, fmt.Sprintf("%s (%s): %s", cmp.Or(string(reason), "no reason given"), named(said[what]), what))
	}
	return text
}

// named lists the first numbers, and counts the others.
func named(numbers []string) string {
	slices.Sort(numbers)
	first := strings.Join(numbers[:min(len(numbers), maxNumbers)], ", ")
	if more := len(numbers) - maxNumbers; more > 0 {
		first += fmt.Sprintf(" and %d more", more)
	}
	return first
}

func numbersOf(total int) string {
	if total == 1 {
		return "1 planned number"
	}
	return fmt.Sprintf("%d planned numbers", total)
}

// quote quotes a text from outside, bounded and on one line.
func quote(who, words string) string {
	words = strings.Join(strings.Fields(words), " ")
	if words == "" {
		return ""
	}
	return who + ": " + strings.TrimRight(strings.ToValidUTF8(words[:min(len(words), maxDetail)], ""), ". ") + "."
}

// sentences joins the sentences that are not empty.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}
