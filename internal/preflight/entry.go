package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// entry is the forecast of one entry of the set, and the report that it adds to.
type entry struct {
	assigner.Forecast
	publicURL string
	now       time.Time
	report    *Report
}

// find adds a finding about a number, or about the campaign if number is empty.
func (e entry) find(number plan.E164, code Code, why, fix string) {
	at, what := e.Plan.Position, fmt.Sprintf("campaign %s (%s)", e.Plan.Name, e.Plan.ID())
	if number != "" {
		what = "number " + string(number)
		if place, named := e.Plan.Where(number); named {
			at = place
		}
	}
	e.report.Findings = append(e.report.Findings, Finding{
		Code: code, Plan: e.Plan.Name, CampaignID: e.Plan.ID(), Number: number,
		Position: at, What: what, Why: why, Fix: fix,
	})
}

func (e entry) note(number plan.E164, code NoteCode, subject string) {
	e.report.Notes = append(e.report.Notes, Note{
		Code: code, Plan: e.Plan.Name, CampaignID: e.Plan.ID(), Number: number, Subject: subject,
	})
}

// addCampaign adds the campaign and the findings about it.
func (e entry) addCampaign() {
	c := e.Campaign
	e.report.Campaigns = append(e.report.Campaigns, Campaign{
		Plan: e.Plan.Name, ID: e.Plan.ID(), CampaignID: c.CampaignID, TCRCampaignID: c.TCRCampaignID, Shared: c.Shared,
		Phase: e.Phase, Status: c.CampaignStatus, WebhookURL: c.WebhookURL,
		Planned: len(e.Expanded.Numbers), Others: e.Others, MaxNumbers: e.Plan.MaxNumbers,
	})
	e.checkPool()
	switch {
	case e.Err != nil:
		e.findMissing()
	case e.Duplicate != nil: // the other entry has the rest
		e.find("", PlannedTwice, fmt.Sprintf("Plan %s (%s, %s) names the same campaign by another id. Only that entry is used.", e.Duplicate.Name, e.Duplicate.ID(), e.Duplicate.Position),
			"Put all its numbers into one entry.")
	default:
		e.checkState()
		e.checkEnd()
		e.checkRoom()
		e.checkWebhookURL()
	}
}

func (e entry) checkPool() {
	switch pool := e.Plan.NumberPool; {
	case pool == "":
	case !e.PoolComplete:
		e.find("", ledger.Unverified, sentence("Telnyx's answers do not prove which numbers are on messaging profile "+pool+" (number_pool)", e.PoolUnknown), runAgain)
	case len(e.Expanded.Numbers) == 0:
		e.find("", EmptyPool, "Messaging profile "+pool+", the plan's number_pool, has no US long codes that no other entry names.",
			"Check the profile's id, or assign the profile to numbers in Telnyx's portal.")
	}
}

func (e entry) findMissing() {
	if e.Phase == ledger.PhaseUnread {
		e.find("", ledger.Unverified, sentence("The campaign could not be read, so its numbers could not be checked", e.Detail), runAgain)
		return
	}
	advice := ledger.CampaignMissing.Advice()
	why, fix := advice.Why, advice.Action
	if e.Plan.ReferenceID != "" {
		why = fmt.Sprintf("Brand %s has no campaign with referenceId %s.", e.Plan.BrandID, e.Plan.ReferenceID)
		fix = "File the campaign with this referenceId, or correct reference_id and brand_id in the plan."
	}
	if e.Detail != "" {
		why += " " + sentence("Telnyx answered", e.Detail)
	}
	e.find("", ledger.CampaignMissing, why, fix)
}

// checkState adds findings about a campaign that is neither approved nor in review.
func (e entry) checkState() {
	c, reason := e.Campaign, e.Phase.Reason()
	advice := reason.Advice()
	mockAlone := c.Mock && reason == ledger.CampaignUnknown
	if reason != "" && reason != ledger.CampaignInReview && !mockAlone {
		why := fmt.Sprintf("%s (%s)", strings.TrimRight(advice.Why, ". "), cmp.Or(c.CampaignStatus, "no campaignStatus"))
		e.find("", reason, sentence(why, e.Detail), advice.Action)
	}
	if c.IsTMobileSuspended && reason != ledger.CampaignSuspended {
		e.find("", ledger.CampaignSuspended, "T-Mobile has suspended the campaign.", ledger.CampaignSuspended.Advice().Action)
	}
	if c.Mock {
		e.find("", CampaignMock, "This is a mock campaign. Mock campaigns cannot have numbers.", "Put the id of the real campaign into the plan.")
	}
}

// checkEnd adds a finding about a campaign that is not renewed and ends soon.
func (e entry) checkEnd() {
	if ends := assigner.EndOf(e.Campaign); e.Phase != ledger.PhaseExpired && ledger.EndsSoon(ends, e.now) {
		e.find("", ExpiresSoon, fmt.Sprintf("The campaign ends on %s and is not renewed (autoRenewal is false).", ends.Format(time.DateOnly)), ledger.FixEnd)
	}
}

// noPool is the number of numbers that T-Mobile allows on a campaign without a number pool.
const noPool = plan.DefaultMaxNumbers

func (e entry) checkRoom() {
	planned := len(e.Expanded.Numbers)
	if total := planned + e.Others; total > e.Capacity {
		limit := fmt.Sprintf("max_numbers allows %d", e.Capacity)
		if e.Capacity < e.Plan.MaxNumbers {
			limit = fmt.Sprintf("a campaign with use case %s can have %d", e.Campaign.Usecase, e.Capacity)
		}
		others := ""
		if e.Others > 0 {
			others = fmt.Sprintf(" and %s already on the campaign, %d in all", verb(e.Others, "other number"), total)
		}
		e.find("", ledger.CampaignFull, fmt.Sprintf("The plan has %s%s; %s.", status.Count(planned, "number"), others, limit),
			"Detach numbers that it no longer needs, or remove some from the plan. If the carriers allow more, raise max_numbers; without a number pool T-Mobile allows 49.")
	}
	if pooled := e.Campaign.IsTMobileNumberPoolingEnabled; e.Plan.MaxNumbers > noPool && pooled != nil && !*pooled {
		e.find("", NoNumberPool, fmt.Sprintf("max_numbers is %d, but without a number pool at T-Mobile the campaign can have %d (isTMobileNumberPoolingEnabled is false).", e.Plan.MaxNumbers, noPool),
			"Ask Telnyx for a number pool, or lower max_numbers.")
	}
}

// verb returns "1 … is" or "2 …s are".
func verb(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return status.Count(n, noun) + " are"
}

func (e entry) checkWebhookURL() {
	const fix = "Set the campaign's webhookURL to https://<your host>/webhooks/telnyx, in Mission Control or with greenlight campaigns point."
	given := strings.TrimSpace(e.Campaign.WebhookURL)
	if given == "" {
		e.find("", NoWebhookURL, "The campaign has no webhookURL, so Telnyx posts no event when the carriers approve it. Greenlight would notice only at its next resync.", fix)
		return
	}
	if wrong := WrongWebhookURL(given, e.publicURL); wrong != "" {
		e.find("", WebhookURL, fmt.Sprintf("The campaign's webhookURL is %.200s, %s. Greenlight may not get its events, and would then notice an approval only at its next resync.", given, wrong), fix)
	}
}

// addNumber adds the finding about a number, or what happens besides attaching it.
func (e entry) addNumber(n assigner.NumberForecast) {
	switch {
	case n.Action == plan.Extra:
		return
	case isFinding(n.Decision.Record):
		e.findDecided(n, n.Decision.Record)
		return
	case n.Then != nil && isFinding(n.Then.Record):
		e.findDecided(n, n.Then.Record)
	}
	if profile := n.SetProfile; profile != "" {
		e.note(n.Number, WillSetProfile, profile)
	} else if n.Then != nil && n.Then.SetProfile != "" {
		e.note(n.Number, WillSetProfile, n.Then.SetProfile)
	}
	if record := n.Change.Record; record != nil {
		e.checkRecord(n, *record)
	}
}

// isFinding reports whether a number needs, or may need, a person.
func isFinding(n ledger.Number) bool {
	return n.NeedsPerson || n.Reason == ledger.Unverified || n.Reason == ledger.NotActive
}

// runAgain is what to do when Telnyx's answers are not conclusive.
const runAgain = "Run this again. If the problem persists, contact Telnyx support."

// findDecided adds a decision as a finding, with the ledger's advice.
func (e entry) findDecided(n assigner.NumberForecast, decided ledger.Number) {
	advice := ledger.Advise(decided, ledger.Campaign{})
	why, fix := advice.Why, cmp.Or(advice.Action, runAgain)
	if decided.Detail != "" {
		why += " " + sentence(decided.Detail, "")
	}
	if record := n.Change.Record; decided.Reason == ledger.OtherCampaign && record != nil && !e.mayLeave(*record) {
		fix += " To let Greenlight move it, add " + record.CampaignID + " to move_from."
	}
	e.find(n.Number, decided.Reason, why, fix)
}

// mayLeave reports whether the plan names the record's campaign under move_from.
func (e entry) mayLeave(record telnyx.Assignment) bool {
	ids := []string{record.CampaignID, string(record.TelnyxCampaignID), string(record.TCRCampaignID)}
	return slices.ContainsFunc(e.Plan.MoveFrom, func(from string) bool { return slices.Contains(ids, from) })
}

// checkRecord adds what a number's record says that does not prevent attaching it:
//
//	action of plan.Diff               result
//	attach, after FAILED_ASSIGNMENT   carrier_failed if it was on this campaign,
//	                                  else a note
//	done, move                        removal_failed if FAILED_UNASSIGNMENT
//	move, wait to move,               a note
//	wait to attach
func (e entry) checkRecord(n assigner.NumberForecast, record telnyx.Assignment) {
	failedRemoval := record.AssignmentStatus == telnyx.FailedUnassignment
	switch n.Action {
	case plan.Attach:
		if !record.On(e.Campaign) {
			e.note(n.Number, FailedElsewhere, record.CampaignID)
			return
		}
		advice := ledger.CarrierFailed.Advice()
		e.find(n.Number, ledger.CarrierFailed, advice.Why+" "+sentence("Its record on campaign "+record.CampaignID+" says FAILED_ASSIGNMENT", record.FailureText()), advice.Action)
	case plan.Done:
		if failedRemoval {
			e.findNotRemoved(n.Number, record, "If the number belongs there, no action is needed. Otherwise contact Telnyx support.")
		}
	case plan.Move:
		e.note(n.Number, WillMove, record.CampaignID)
		if failedRemoval {
			e.findNotRemoved(n.Number, record, "Greenlight will try to move it. Contact Telnyx support before the campaign is approved.")
		}
	case plan.WaitToMove:
		e.note(n.Number, WillMoveLater, record.CampaignID)
	case plan.WaitToAttach:
		e.note(n.Number, WillAttachLater, record.CampaignID)
	}
}

func (e entry) findNotRemoved(number plan.E164, record telnyx.Assignment, fix string) {
	why := fmt.Sprintf("Telnyx failed to remove the number from campaign %s (FAILED_UNASSIGNMENT), so it is still there.", record.CampaignID)
	if said := record.FailureText(); said != "" {
		why += " " + sentence("Telnyx says", said)
	}
	e.find(number, RemovalFailed, why, fix)
}

// sentence returns "Clause: detail.", or "Clause." without a detail.
func sentence(clause, said string) string {
	if said = strings.TrimRight(said, ". "); said != "" {
		clause += ": " + said
	}
	first, size := utf8.DecodeRuneInString(clause)
	return string(unicode.ToUpper(first)) + strings.TrimRight(clause[size:], ". ") + "."
}
