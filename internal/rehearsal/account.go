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
	// poolSize is the size of a number pool, whose numbers the plan does not list.
	poolSize = 5
	// bystanders is the number of phone numbers that no plan names.
	bystanders = 3
	// noLimit is more than the numbers of any campaign.
	noLimit = 1 << 20
)

// tcrID is the form of The Campaign Registry's campaign ids.
var tcrID = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)

// Account describes what [Seed] put into a simulated Telnyx, and the expected result.
type Account struct {
	// Campaigns are the Telnyx ids of the planned campaigns, in the plan's order.
	Campaigns []string
	// Numbers counts the planned numbers, including those of pools.
	Numbers int
	// Moves counts planned numbers that begin on a campaign in move_from, Taken those on
	// another campaign, which the plan may not take them from.
	Moves, Taken int

	// Expected is the expected result for each planned number.
	Expected map[string]Expectation
	// Bystanders are the numbers that no plan names, with the campaign they are on.
	Bystanders map[string]string
}

// IsSettled reports whether every planned number is sendable or needs a person.
func (a *Account) IsSettled(numbers []ledger.Number) bool {
	settled := 0
	for _, n := range numbers {
		if _, planned := a.Expected[n.Number]; planned && (n.State == ledger.Sendable || n.NeedsPerson) {
			settled++
		}
	}
	return settled >= len(a.Expected)
}

// Seeding are the options of [Seed].
type Seeding struct {
	// WebhookURL gets the campaigns' notifications. Empty for none.
	WebhookURL string
	// Bystanders adds numbers that no plan names, on a separate campaign. If a plan entry
	// has four numbers, one of them is put there too. A mistake would steal them.
	Bystanders bool
}

// Seed fills an empty simulated account with everything in a plan set, as it would be some
// days before approval:
//
//   - each campaign, with its id or reference from the plan, submitted but not reviewed;
//     one with a TCR id is shared by another account
//   - each number, owned by the account, a US long code; if the plan names a messaging
//     profile, every second number is not on it yet
//   - for a number pool, a few made-up numbers on that messaging profile
//   - each campaign in move_from, with the first number to move on it
func Seed(sim *telnyxsim.Simulator, set *plan.Set, options Seeding) *Account {
	s := seeder{
		sim: sim, options: options, sources: map[string]string{},
		account: &Account{Expected: map[string]Expectation{}, Bystanders: map[string]string{}},
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
	if options.Bystanders {
		s.addBystanders()
	}
	for i, c := range set.Campaigns {
		s.addNumbers(c, s.account.Campaigns[i])
	}
	s.account.Numbers = len(s.account.Expected)
	return s.account
}

type seeder struct {
	sim     *telnyxsim.Simulator
	options Seeding
	account *Account
	// sources maps the campaigns in move_from to their Telnyx ids.
	sources map[string]string
	// elsewhere is the campaign of the bystanders, empty if there are none.
	elsewhere string
	// taken are the numbers that are in the plan or already made up.
	taken map[string]bool
	made  int
}

// addCampaign adds a planned campaign and returns its id at Telnyx.
func (s *seeder) addCampaign(c plan.Campaign) string {
	added := s.sim.AddCampaign(telnyxsim.Campaign{
		ID: string(c.CampaignID), TCRID: string(c.TCRCampaignID), Shared: c.TCRCampaignID != "",
		ReferenceID: c.ReferenceID, BrandID: c.BrandID,
		CampaignStatus: telnyx.CampaignTCRPending, WebhookURL: s.options.WebhookURL,
		MaxNumbers: max(c.MaxNumbers, plan.DefaultMaxNumbers),
		NumberPool: c.NumberPool != "" || c.MaxNumbers > plan.DefaultMaxNumbers,
	})
	id := idOf(added)
	s.sources[c.ID()], s.sources[added.TCRID] = id, id
	return id
}

// idOf returns the id by which numbers are attached to a campaign.
func idOf(c telnyxsim.Campaign) string { return cmp.Or(c.ID, c.TCRID) }

// source returns the Telnyx id of a campaign in move_from. If it does not exist yet, it is
// added as approved, since only such a campaign has numbers.
func (s *seeder) source(name string) string {
	if id, known := s.sources[name]; known {
		return id
	}
	c := telnyxsim.Campaign{CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: noLimit}
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
		CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: noLimit,
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
	f := Expectation{Entry: c.ID(), Campaign: campaign, State: ledger.Sendable, Profile: c.MessagingProfileID}
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

// begins returns the campaign on which the i-th number of an entry begins, empty for none.
// The first begins on a campaign in move_from. In the first entry with four numbers, the
// last begins on the campaign of the bystanders.
func (s *seeder) begins(c plan.Campaign, f Expectation, i int) string {
	if i == 0 {
		// A planned campaign is not approved yet, so no number can be on it.
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
func (s *seeder) add(number telnyxsim.Number, f Expectation, on string) {
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
	s.account.Expected[number.PhoneNumber] = f
}

// put attaches a number before the rehearsal begins.
func (s *seeder) put(number, campaign string) {
	if err := s.sim.AttachNumber(number, campaign, telnyx.Assigned); err != nil {
		panic("rehearsal: " + err.Error()) // this package has added both
	}
}

// makeUp returns a number that the plan does not name, with the exchange 555, which is
// reserved for fiction.
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
