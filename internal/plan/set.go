package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"github.com/oasdiff/yaml"

	"greenlight/internal/telnyx"
)

// DefaultMaxNumbers is how many numbers a campaign takes when its plan does not
// say. T-Mobile lets a campaign have 49 numbers; more need a number pool that it
// approved, so a bigger plan must say so with max_numbers.
const DefaultMaxNumbers = 49

// Campaign is one entry of a plan: a campaign and the numbers that belong on it.
// It is plain data; one that [Load] returned keeps every rule of the grammar.
type Campaign struct {
	// Name is the handle that people use; unique in its set.
	Name string
	// CampaignID, TCRCampaignID and ReferenceID select the campaign; exactly one
	// is set. ReferenceID is the referenceId that the campaign is filed with at
	// Telnyx: it is known before the campaign has an id.
	CampaignID    telnyx.CampaignID
	TCRCampaignID telnyx.TCRCampaignID
	ReferenceID   string
	// BrandID is Telnyx's id of the brand under which to look for ReferenceID; set
	// with it and only with it.
	BrandID string
	// Numbers are those of the plan and of its numbers_file, sorted, each once in
	// the whole set; at least one unless there is a NumberPool.
	Numbers []E164
	// Places are where the Numbers were named: Places[i] for Numbers[i]. [Load]
	// fills it, a Campaign made otherwise may do without; see [Campaign.Where].
	Places []Position
	// NumberPool is the messaging profile of which every number belongs on the
	// campaign, or empty. Which those are is Telnyx's to say.
	NumberPool string
	// MessagingProfileID is the messaging profile for numbers that are on none,
	// or empty.
	MessagingProfileID string
	// MoveFrom are the campaigns, by either kind of id, that numbers may be taken
	// from; sorted, each once.
	MoveFrom []string
	// MaxNumbers bounds how many numbers the campaign takes: Numbers keep to it,
	// those of a NumberPool must be counted; [DefaultMaxNumbers] when the plan is
	// silent.
	MaxNumbers int
	// Position is where the entry begins.
	Position Position
}

// referencePrefix begins the ID of a campaign that is selected by reference.
const referencePrefix = "ref_"

// ID returns what the campaign is known by in the ledger and in NATS subjects:
// the id by which the plan selects it, and for a reference "ref_" before it. No
// id of Telnyx's or TCR's has an underscore here, so no two campaigns meet in one
// ID. It is empty for the zero Campaign.
func (c Campaign) ID() string {
	switch {
	case c.CampaignID != "":
		return string(c.CampaignID)
	case c.TCRCampaignID != "":
		return string(c.TCRCampaignID)
	case c.ReferenceID != "":
		return referencePrefix + c.ReferenceID
	}
	return ""
}

// Where returns where the plan names a number, if it does: in the plan file or in
// its numbers_file. For a campaign that was not loaded it tells where the entry
// begins.
func (c Campaign) Where(n E164) (at Position, ok bool) {
	i, ok := slices.BinarySearch(c.Numbers, n)
	switch {
	case !ok:
		return Position{}, false
	case i < len(c.Places):
		return c.Places[i], true
	}
	return c.Position, true
}

// Set is everything that is planned: the campaigns of one file or folder. It is
// not changed after [Load] returned it, so any number of goroutines may read it.
// The zero value plans nothing.
type Set struct {
	// Hash identifies the content: twelve hexadecimal digits that do not depend
	// on comments, formatting, file names or the order of anything.
	Hash string
	// Campaigns are sorted by name.
	Campaigns []Campaign
	// Files are the files that were read, plans and numbers files, sorted, as
	// [Printable] writes them.
	Files []string
	// read are the same files by their names in the plan's folder; see [Fingerprint].
	read []string

	// index tells where in Campaigns an ID is. A Set that Load did not make has
	// none.
	index map[string]int
	// named holds the numbers that entries name one by one; nil in a Set that Load
	// did not make, or that has no number pool.
	named map[E164]bool
}

// Find returns the entry with the given [Campaign.ID]: the campaign's id, of
// either kind, or "ref_" and its reference. The empty id finds nothing. It takes
// the same time in a set of any size if [Load] made it.
func (s *Set) Find(id string) (Campaign, bool) {
	if i, ok := s.find(id); ok {
		return s.Campaigns[i], true
	}
	return Campaign{}, false
}

func (s *Set) find(id string) (i int, ok bool) {
	if id == "" {
		return 0, false
	}
	if s.index != nil {
		i, ok = s.index[id]
		return i, ok
	}
	i = slices.IndexFunc(s.Campaigns, func(c Campaign) bool { return c.ID() == id })
	return i, i >= 0
}

// EntryHashes returns each entry's [Campaign.Hash] by its [Campaign.ID].
func (s *Set) EntryHashes() map[string]string {
	hashes := make(map[string]string, len(s.Campaigns))
	for _, c := range s.Campaigns {
		hashes[c.ID()] = c.Hash()
	}
	return hashes
}

// Changed returns the ids ([Campaign.ID]) of the campaigns that differ between two sets:
// added, removed, or with another entry. Where an entry is in the files does not matter.
// The ids are sorted, each once.
func Changed(old, new *Set) []string {
	before, after := old.EntryHashes(), new.EntryHashes()
	maps.DeleteFunc(before, func(id, hash string) bool {
		same := after[id] == hash
		if same {
			delete(after, id)
		}
		return same
	})
	maps.Copy(before, after)
	return slices.Sorted(maps.Keys(before))
}

// buildIndex makes Find quick, and WithPool where there is a pool.
func (s *Set) buildIndex() {
	if s.hasPool() {
		s.named = s.namedNumbers()
	}
	s.index = make(map[string]int, len(s.Campaigns))
	for i, c := range s.Campaigns {
		s.index[c.ID()] = i
	}
}

// YAML prints the set as one plan file in canonical form, whatever files it came
// of: sorted, every default written out, the numbers of numbers files among the
// others, no comments. Loading it gives the same campaigns and the same Hash.
func (s *Set) YAML() ([]byte, error) { return yaml.Marshal(s.document()) }

// hash returns the Hash of the campaigns.
func (s *Set) hash() string { return digest(s.document()) }

// digest returns the beginning of the SHA-256 sum of a document.
func digest(document any) string {
	text, err := json.Marshal(document)
	if err != nil {
		panic("plan: a document of strings and numbers is always JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:hashBytes])
}

// hashBytes is how much of the SHA-256 sum a Hash keeps: enough to tell the sets
// of one operator apart, short enough to be read out.
const hashBytes = 6

// document is a plan file in canonical form. Its keys are those of the grammar,
// but for those that say where numbers are read from, not which; keys that came
// later must be left out when empty, so that the Hash of a plan
// without them stays as it was.
type document struct {
	Version   int                `json:"version"`
	Campaigns []documentCampaign `json:"campaigns"`
}

type documentCampaign struct {
	Name               string               `json:"name"`
	CampaignID         telnyx.CampaignID    `json:"campaign_id,omitempty"`
	TCRCampaignID      telnyx.TCRCampaignID `json:"tcr_campaign_id,omitempty"`
	ReferenceID        string               `json:"reference_id,omitempty"`
	BrandID            string               `json:"brand_id,omitempty"`
	MessagingProfileID string               `json:"messaging_profile_id,omitempty"`
	Numbers            []E164               `json:"numbers,omitempty"`
	NumberPool         string               `json:"number_pool,omitempty"`
	MoveFrom           []string             `json:"move_from,omitempty"`
	MaxNumbers         int                  `json:"max_numbers"`
}

// document returns the set in canonical form.
func (s *Set) document() document {
	d := document{Version: 1, Campaigns: make([]documentCampaign, len(s.Campaigns))}
	for i, c := range s.Campaigns {
		d.Campaigns[i] = c.document()
	}
	return d
}

func (c Campaign) document() documentCampaign {
	return documentCampaign{
		Name: c.Name, CampaignID: c.CampaignID, TCRCampaignID: c.TCRCampaignID, ReferenceID: c.ReferenceID, BrandID: c.BrandID,
		MessagingProfileID: c.MessagingProfileID, Numbers: c.Numbers, NumberPool: c.NumberPool, MoveFrom: c.MoveFrom, MaxNumbers: c.MaxNumbers,
	}
}

// Hash identifies what the entry says, as [Set.Hash] does for a set: two entries
// with the same Hash ask for the same.
func (c Campaign) Hash() string { return digest(c.document()) }
