package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

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
	// CampaignID and TCRCampaignID select the campaign; exactly one is set.
	CampaignID    telnyx.CampaignID
	TCRCampaignID telnyx.TCRCampaignID
	// Numbers are sorted, each once in the whole set, at least one.
	Numbers []E164
	// MaxNumbers bounds len(Numbers); [DefaultMaxNumbers] when the plan is silent.
	MaxNumbers int
	// Position is where the entry begins.
	Position Position
}

// ID returns the id by which the plan selects the campaign, whichever kind it is.
func (c Campaign) ID() string {
	if c.CampaignID != "" {
		return string(c.CampaignID)
	}
	return string(c.TCRCampaignID)
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
	// Files are the files that were read, sorted.
	Files []string
}

// Find returns the entry that selects the campaign with the given id, which may
// be of either kind. The empty id finds nothing.
func (s *Set) Find(id string) (Campaign, bool) {
	if id == "" {
		return Campaign{}, false
	}
	for _, c := range s.Campaigns {
		if c.ID() == id {
			return c, true
		}
	}
	return Campaign{}, false
}

// YAML prints the set as one plan file in canonical form, whatever files it came
// of: sorted, every default written out, no comments. Loading it gives the same
// campaigns and the same Hash.
func (s *Set) YAML() ([]byte, error) { return yaml.Marshal(s.document()) }

// hash returns the Hash of the campaigns.
func (s *Set) hash() string {
	text, err := json.Marshal(s.document())
	if err != nil {
		panic("plan: a document of strings and numbers is always JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:hashBytes])
}

// hashBytes is how much of the SHA-256 sum a Hash keeps: enough to tell the sets
// of one operator apart, short enough to be read out.
const hashBytes = 6

// document is a plan file in canonical form. Its keys are those of the grammar;
// keys that came later must be left out when empty, so that the Hash of a plan
// without them stays as it was.
type document struct {
	Version   int                `json:"version"`
	Campaigns []documentCampaign `json:"campaigns"`
}

type documentCampaign struct {
	Name          string               `json:"name"`
	CampaignID    telnyx.CampaignID    `json:"campaign_id,omitempty"`
	TCRCampaignID telnyx.TCRCampaignID `json:"tcr_campaign_id,omitempty"`
	Numbers       []E164               `json:"numbers"`
	MaxNumbers    int                  `json:"max_numbers"`
}

// document returns the set in canonical form.
func (s *Set) document() document {
	d := document{Version: 1, Campaigns: make([]documentCampaign, len(s.Campaigns))}
	for i, c := range s.Campaigns {
		d.Campaigns[i] = documentCampaign{c.Name, c.CampaignID, c.TCRCampaignID, c.Numbers, c.MaxNumbers}
	}
	return d
}
