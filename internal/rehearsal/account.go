package rehearsal

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const (
	// profile is the messaging profile of numbers for which the plan names none.
	profile = "4001776e-0000-4000-8000-000000000001"
	// poolSize is how many numbers a messaging profile gets that the plan names as a
	// pool: which they are is not in the plan.
	poolSize = 5
	// bystanders is how many numbers are on a campaign that no plan names.
	bystanders = 3
	// roomy is more numbers than any source of a move has.
	roomy = 1 << 20
)

// tcrID is how The Campaign Registry's ids of campaigns look.
var tcrID = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)

// Account is what [Seed] put into a simulated Telnyx, and what the plan means for it.
type Account struct {
	// Campaigns are the ids of the planned campaigns at Telnyx, in the plan's order.
	Campaigns []string
	// Numbers counts the planned numbers, those of pools among them.
	Numbers int
	// Moves counts planned numbers that begin on a campaign from which the plan may
	// take them, Taken those on one from which it may not.
	Moves, Taken int

	// Fates are what the plan means for its numbers.
	Fates map[string]Fate
	// Bystanders are the numbers that no plan names, with the campaign they are on.
	Bystanders map[string]string
}

// IsSettled reports whether every planned number is sendable or needs a person.
func (a *Account) IsSettled(numbers []ledger.Number) bool {
	settled := 0
	for _, n := range numbers {
		if _, planned := a.Fates[n.Number]; planned && (n.State == ledger.Sendable || n.NeedsPerson) {
			settled++
		}
	}
	return settled >= len(a.Fates)
}

// Seeding is what an account is to look like.
type Seeding struct {
	// WebhookURL is where the campaigns' notifications go. Empty: nowhere.
	WebhookURL string
	// Bystanders adds numbers that no plan names, on a campaign of their own, and
	// puts one planned number on it too if the plan has four of its kind: what a
	// mistake would steal.
	Bystanders bool
}

// Seed fills a simulated account, which must be empty, with everything that a plan
// set names, as it is some days before approval:
//
//   - each campaign, under the id or the reference that the plan has for it, filed
//     and not reviewed; one with a TCR id is shared by another account
//   - each number, owned, a US long code; where the plan names a messaging profile,
//     every second number is on none yet
//   - for a number pool, a few made-up numbers on that messaging profile
//   - each campaign of move_from, with the first number to move on it
func Seed(sim *telnyxsim.Simulator, set *plan.Set, how Seeding) *Account {
	s := seeder{
		sim: sim, set: set, how: how, sources: map[string]string{},
		account: &Account{Fates: map[string]Fate{}, Bystanders: map[string]string{}},
		taken:   map[string]bool{},
	}
	for _, c := range set.Campaigns {
		for _, number := range c.Numbers {
			s.taken[string(number)] = true
		}
	}
	sim.AddBrand(telnyxsim.Brand{})
	sim.AddMessagingProfiles(profile)
	for _, c := range set.Campaigns {
		s.account.Campaigns = append(s.account.Campaigns, s.addCampaign(c))
	}
	if how.Bystanders {
		s.addBystanders()
	}
	for i, c := range set.Campaigns {
		s.addNumbers(c, s.account.Campaigns[i])
	}
	s.account.Numbers = len(s.account.Fates)
	return s.account
}

type seeder struct {
	sim     *telnyxsim.Simulator
	set     *plan.Set
	how     Seeding
	account *Account
	// sources are the campaigns of move_from: the plan's id to Telnyx's.
	sources map[string]string
	// elsewhere is the campaign of the bystanders, empty if there are none.
	elsewhere string
	// taken are the numbers that are the plan's or were made up already.
	taken map[string]bool
	made  int
}

// addCampaign adds a planned campaign and returns its id at Telnyx.
func (s *seeder) addCampaign(c plan.Campaign) string {
	added := s.sim.AddCampaign(telnyxsim.Campaign{
		ID: string(c.CampaignID), TCRID: string(c.TCRCampaignID), Shared: c.TCRCampaignID != "",
		ReferenceID: c.ReferenceID, BrandID: c.BrandID,
		CampaignStatus: telnyx.CampaignTCRPending, WebhookURL: s.how.WebhookURL,
		MaxNumbers: max(c.MaxNumbers, plan.DefaultMaxNumbers),
		NumberPool: c.NumberPool != "" || c.MaxNumbers > plan.DefaultMaxNumbers,
	})
	id := idOf(added)
	s.sources[c.ID()], s.sources[added.TCRID] = id, id
	return id
}

// idOf returns the id by which numbers are attached to a campaign.
func idOf(c telnyxsim.Campaign) string { return cmp.Or(c.ID, c.TCRID) }

// source returns the id at Telnyx of a campaign that move_from names, which is added
// if nobody did: in force, as only such a one has numbers to give.
func (s *seeder) source(name string) string {
	if id, known := s.sources[name]; known {
		return id
	}
	c := telnyxsim.Campaign{CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: roomy}
	if tcrID.MatchString(name) {
		c.TCRID = name
	} else {
		c.ID = name
	}
	s.sources[name] = idOf(s.sim.AddCampaign(c))
	return s.sources[name]
}

func (s *seeder) addBystanders() {
	s.elsewhere = s.sim.AddCampaign(telnyxsim.Campaign{
		CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: roomy,
	}).ID
	for range bystanders {
		number := s.makeUp()
		s.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profile})
		s.put(number, s.elsewhere)
		s.account.Bystanders[number] = s.elsewhere
	}
}

// addNumbers adds the numbers of a planned campaign.
func (s *seeder) addNumbers(c plan.Campaign, campaign string) {
	f := Fate{Entry: c.ID(), Campaign: campaign, State: ledger.Sendable, Profile: c.MessagingProfileID}
	for _, name := range c.MoveFrom {
		f.MayLeave = append(f.MayLeave, s.source(name))
	}
	if c.MessagingProfileID != "" {
		s.sim.AddMessagingProfiles(c.MessagingProfileID)
	}
	for i, number := range c.Numbers {
		of := telnyxsim.Number{PhoneNumber: string(number), MessagingProfileID: cmp.Or(c.MessagingProfileID, profile)}
		if c.MessagingProfileID != "" && i%2 == 0 {
			of.MessagingProfileID = ""
		}
		s.add(of, f, s.begins(c, f, i))
	}
	if c.NumberPool == "" {
		return
	}
	s.sim.AddMessagingProfiles(c.NumberPool)
	for range min(poolSize, c.MaxNumbers-len(c.Numbers)) {
		s.add(telnyxsim.Number{PhoneNumber: s.makeUp(), MessagingProfileID: c.NumberPool}, f, "")
	}
}

// begins returns the campaign on which the i-th number of an entry is at first, empty
// for none: the first on one that it may be taken from, and of the first entry that
// has four the last on one that it may not.
func (s *seeder) begins(c plan.Campaign, f Fate, i int) string {
	if i == 0 {
		// A campaign that is itself planned has no carriers yet, and gives nothing.
		at := slices.IndexFunc(f.MayLeave, func(id string) bool { return !slices.Contains(s.account.Campaigns, id) })
		if at >= 0 {
			return f.MayLeave[at]
		}
	}
	if s.elsewhere != "" && s.account.Taken == 0 && len(c.Numbers) >= 4 && i == len(c.Numbers)-1 {
		return s.elsewhere
	}
	return ""
}

// add adds a planned number, on a campaign if one is given.
func (s *seeder) add(number telnyxsim.Number, f Fate, on string) {
	s.sim.AddNumbers(number)
	switch {
	case on == "":
	case on == s.elsewhere:
		f.State, f.Reason, f.Home = ledger.Conflict, ledger.OtherCampaign, on
		s.account.Taken++
		s.account.Bystanders[number.PhoneNumber] = on
		s.put(number.PhoneNumber, on)
	default:
		s.account.Moves++
		s.put(number.PhoneNumber, on)
	}
	s.account.Fates[number.PhoneNumber] = f
}

// put attaches a number before the rehearsal begins.
func (s *seeder) put(number, campaign string) {
	if err := s.sim.AttachNumber(number, campaign, telnyx.Assigned); err != nil {
		panic("rehearsal: " + err.Error()) // both were added by this package
	}
}

// makeUp returns a number that the plan does not name. It is of those that nobody
// has: 555 is for films.
func (s *seeder) makeUp() string {
	for {
		number := fmt.Sprintf("+1202555%04d", s.made)
		s.made++
		if !s.taken[number] {
			s.taken[number] = true
			return number
		}
	}
}
