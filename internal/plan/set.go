package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/oasdiff/yaml"

	"greenlight/internal/telnyx"
)

// DefaultMaxNumbers is how many numbers a campaign takes if its plan does not say.
// T-Mobile allows 49 numbers on a campaign. More need a number pool that it approved,
// so a bigger plan must set max_numbers.
const DefaultMaxNumbers = 49

// Campaign is one entry of a plan: a campaign and the numbers that belong on it. It is
// plain data; one that [Load] returned follows every rule of the grammar. Its JSON form, in
// this order, is what a Hash is made of. A field that is added later must be left out when
// empty, so that the Hash of plans without it does not change.
type Campaign struct {
	// Name is the entry's name for people; unique in its set.
	Name string `json:"name"`
	// CampaignID, TCRCampaignID and ReferenceID select the campaign; exactly one is
	// set. ReferenceID is the referenceId that the campaign is filed with at Telnyx,
	// which is known before the campaign has an id.
	CampaignID    telnyx.CampaignID    `json:"campaign_id,omitempty"`
	TCRCampaignID telnyx.TCRCampaignID `json:"tcr_campaign_id,omitempty"`
	ReferenceID   string               `json:"reference_id,omitempty"`
	// BrandID is Telnyx's id of the brand that ReferenceID is filed under. It is set
	// if and only if ReferenceID is.
	BrandID string `json:"brand_id,omitempty"`
	// MessagingProfileID is the messaging profile for numbers without one, or empty.
	MessagingProfileID string `json:"messaging_profile_id,omitempty"`
	// Numbers are those of the plan and its numbers_file: sorted, each once in the
	// whole set, at least one unless there is a NumberPool.
	Numbers []E164 `json:"numbers,omitempty"`
	// Places are where the Numbers were listed: Places[i] for Numbers[i]. [Load] sets
	// it. It may be empty otherwise; see [Campaign.Where].
	Places []Position `json:"-"`
	// NumberPool is the messaging profile whose numbers all belong on the campaign, or
	// empty. Telnyx knows which numbers those are.
	NumberPool string `json:"number_pool,omitempty"`
	// MoveFrom are the campaigns, by either kind of id, that numbers may be taken
	// from; sorted, each once.
	MoveFrom []string `json:"move_from,omitempty"`
	// MaxNumbers bounds how many numbers the campaign takes, by default
	// [DefaultMaxNumbers]. [Load] checks Numbers against it; the numbers of a
	// NumberPool must be counted when they are known.
	MaxNumbers int `json:"max_numbers"`
	// Prune has numbers that this entry attached removed from the campaign when it no
	// longer names them.
	Prune bool `json:"prune,omitempty"`
	// Position is where the entry starts.
	Position Position `json:"-"`
}

// referencePrefix starts the ID of a campaign that is selected by reference.
const referencePrefix = "ref_"

// ID returns the campaign's key in the ledger and in NATS subjects: the id by which
// the plan selects it, or "ref_" and its reference. Plans allow no underscore in the
// ids of Telnyx and TCR, so two campaigns never share an ID. It is empty for the zero
// Campaign.
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

// ReferenceIn returns the reference in an id from [Campaign.ID]; ok is false for the other
// kinds of ids.
func ReferenceIn(id string) (reference string, ok bool) {
	return strings.CutPrefix(id, referencePrefix)
}

// Rank says which of several entries counts if they turn out to be one campaign: the
// lowest. Only Telnyx knows that they are, so the plan cannot be refused for it. The
// campaign's own id comes first, then its TCR id, then a reference.
func (c Campaign) Rank() int {
	switch {
	case c.CampaignID != "":
		return 0
	case c.TCRCampaignID != "":
		return 1
	default:
		return 2
	}
}

// Where returns where the plan lists a number, in the plan file or its numbers_file,
// and whether it does. For a campaign that was not loaded it is where the entry starts.
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

// Set is everything that is planned: the campaigns of one file or folder. It does not
// change after [Load] returned it, so goroutines may share it. The zero value plans
// nothing.
type Set struct {
	// Hash identifies the content: twelve hexadecimal digits that do not depend on
	// comments, formatting, file names or order.
	Hash string
	// Campaigns are sorted by name.
	Campaigns []Campaign
	// Files are the files that were read, plans and numbers files, sorted, as
	// [Printable] writes them.
	Files []string
	// SetAside are the rows of numbers files that skip_invalid left out, at most
	// 1,000 of a file and then one that says so. They are not planned.
	SetAside Faults
	// read are the same files by their names in the plan's folder; see [Fingerprints].
	read []string
}

// Find returns the entry with the given [Campaign.ID]. The empty id finds nothing.
func (s *Set) Find(id string) (Campaign, bool) {
	i := slices.IndexFunc(s.Campaigns, func(c Campaign) bool { return id != "" && c.ID() == id })
	if i < 0 {
		return Campaign{}, false
	}
	return s.Campaigns[i], true
}

// WithPool returns an entry of the set with the numbers of its pool added, as they are
// now; pool may be in any order. A number that an entry lists belongs to that entry,
// whatever pool it is in. Places are left out, since the plan has none for a pool's
// numbers. An entry without a pool is returned unchanged.
func (s *Set) WithPool(c Campaign, pool []E164) Campaign {
	if c.NumberPool == "" {
		return c
	}
	numbers := make(map[E164]bool, len(pool))
	for _, number := range pool {
		numbers[number] = true
	}
	for _, entry := range s.Campaigns {
		for _, number := range entry.Numbers {
			delete(numbers, number)
		}
	}
	for _, number := range c.Numbers {
		numbers[number] = true
	}
	c.Numbers, c.Places = slices.Sorted(maps.Keys(numbers)), nil
	return c
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

// YAML prints the set as one plan file in canonical form, whatever files it came from:
// sorted, with every default and the numbers of numbers files, without comments.
// Loading it gives the same campaigns and the same Hash.
func (s *Set) YAML() ([]byte, error) { return yaml.Marshal(s.document()) }

// Hash identifies what the entry says, as [Set].Hash does for a set: two entries with
// the same Hash ask for the same.
func (c Campaign) Hash() string { return digest(c) }

// hashBytes is how much of the SHA-256 sum a Hash keeps: enough to distinguish the sets
// of one operator, short enough to read out.
const hashBytes = 6

// digest returns the beginning of the SHA-256 sum of a document.
func digest(document any) string {
	text, err := json.Marshal(document)
	if err != nil {
		panic("plan: a document of strings and numbers is always JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:hashBytes])
}

// document is a plan file in canonical form. It has the keys of the grammar, except
// those that only say where numbers are read from.
type document struct {
	Version   int        `json:"version"`
	Campaigns []Campaign `json:"campaigns"`
}

func (s *Set) document() document { return document{Version: 1, Campaigns: s.Campaigns} }
