package page

import (
	"cmp"
	"maps"
	"slices"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// task is something for a person to do.
type task struct {
	// Title says what to do, and to how many. Link is where these are.
	Title, Link string
	// Why and Action are sentences.
	Why, Action string
	// Optional means that it can be left undone.
	Optional bool
}

// titles are the parts of a title around "3 numbers", for reasons of numbers and campaigns.
var titles = map[ledger.Reason]struct{ verb, noun, rest string }{
	ledger.NotOwned:           {"Order or port", "number", ""},
	ledger.NotActive:          {"Finish the port or order of", "number", ""},
	ledger.NotLongCode:        {"Remove", "number", " that cannot use 10DLC"},
	ledger.NoMessagingProfile: {"Give", "number", " a messaging profile"},
	ledger.OtherProfile:       {"Put", "number", " on the plan's messaging profile"},
	ledger.OtherCampaign:      {"Detach", "number", " from another campaign"},
	ledger.CampaignSuspended:  {"Check", "suspended campaign", ""},
	ledger.CampaignRejected:   {"Appeal", "rejected campaign", ""},
	ledger.CampaignExpired:    {"Replace", "expired campaign", ""},
	ledger.CampaignMissing:    {"Correct the id of", "missing campaign", ""},
	ledger.CampaignUnknown:    {"Check", "campaign", " in an unknown state"},
	ledger.CampaignFull:       {"Make room for", "number", ""},
	ledger.CarrierFailed:      {"Ask Telnyx about", "number", " that carriers did not accept"},
	ledger.Unauthorized:       {"Check the API key for", "campaign", ""},
	ledger.AccountBlocked:     {"Unblock the account for", "campaign", ""},
	ledger.Rejected:           {"Fix", "number", " that Telnyx refuses"},
	ledger.Stuck:              {"Ask Telnyx about", "stuck number", ""},
	ledger.PruneLimit:         {"Confirm the removal of", "number", ""},
	ledger.UnknownError:       {"Read Telnyx's answer about", "number", ""},
}

func titleOf(reason ledger.Reason, n int) string {
	title, ok := titles[reason]
	if !ok {
		title.verb, title.noun = "Check", "number"
	}
	return title.verb + " " + plural(n, title.noun) + title.rest
}

// about is what a person should act on.
type about struct {
	reason ledger.Reason
	// show and phase are the filter that finds it.
	show  string
	phase ledger.Phase
}

// tasksOf lists what a person should do: first about campaigns, then about numbers, the most
// first.
func tasksOf(campaigns []*status.Entry) []task {
	found := map[about]int{}
	where := map[about][]*status.Entry{}
	note := func(a about, n int, c *status.Entry) {
		found[a] += n
		where[a] = append(where[a], c)
	}
	var unplanned []*status.Entry
	for _, c := range campaigns {
		switch {
		case c.Recorded && !c.Planned && c.Phase == ledger.PhaseApproved:
			unplanned = append(unplanned, c)
		case c.Planned && c.Phase.NeedsPerson():
			note(about{c.Phase.Reason(), "", c.Phase}, 1, c)
		case c.NeedsPerson():
			note(about{c.Reason, string(c.Reason), ""}, 1, c)
		}
		for kind, n := range c.Counts {
			// A campaign that needs a person is one thing to do, not one for each number.
			if kind.NeedsPerson && !kind.Reason.OfCampaign() && !kind.Reason.OfAccount() {
				note(about{kind.Reason, cmp.Or(string(kind.Reason), string(kind.State)), ""}, n, c)
			}
		}
	}
	order := func(a, b about) int {
		ofCampaign := func(a about) int {
			if a.phase != "" || a.reason.OfAccount() {
				return 0
			}
			return 1
		}
		return cmp.Or(ofCampaign(a)-ofCampaign(b), found[b]-found[a], cmp.Compare(a.show, b.show), cmp.Compare(a.phase, b.phase))
	}
	var list []task
	for _, a := range slices.SortedFunc(maps.Keys(found), order) {
		advice := a.reason.Advice()
		if advice.Why == "" {
			advice = ledger.Advise(ledger.Number{State: ledger.State(a.show)}, ledger.Campaign{})
		}
		list = append(list, task{
			Title: titleOf(a.reason, found[a]), Link: linkTo(where[a], query{Show: a.show, Phase: a.phase}), Why: advice.Why, Action: advice.Action,
		})
	}
	if n := len(unplanned); n > 0 {
		list = append(list, task{
			Title: "Plan " + plural(n, "approved campaign") + ", or leave it", Link: linkTo(unplanned, query{Show: showUnplanned}),
			Why: "The carriers have approved it, but no plan names it.", Optional: true,
		})
	}
	return list
}

// linkTo returns the address of the campaign, or of the list if there are several.
func linkTo(campaigns []*status.Entry, q query) string {
	if slices.ContainsFunc(campaigns, func(c *status.Entry) bool { return c != campaigns[0] }) {
		return "/status" + q.encode(1)
	}
	return campaignPath(campaigns[0].ID)
}
