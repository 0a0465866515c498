package telnyx

import (
	"context"
	"encoding/json"
	"maps"
)

// carrierNames are carriers by network id. The ids are not documented; they are from notes
// of Telnyx customers.
var carrierNames = map[string]string{"10017": "AT&T", "10035": "T-Mobile", "10038": "Verizon Wireless"}

// KnownCarriers returns the names of the carriers whose network ids are known.
func KnownCarriers() map[string]string { return maps.Clone(carrierNames) }

// CarrierNames returns the names of a campaign's carriers by network id.
//
// OpenAPI: GET /10dlc/campaign/{campaignId}/mnoMetadata
func (c *Client) CarrierNames(ctx context.Context, id CampaignID) (map[string]string, error) {
	type terms struct {
		Name string `json:"mno"`
	}
	byNetwork, err := callOne(ctx, c, get("/10dlc/campaign/{id}/mnoMetadata", string(id)), func(map[string]terms) error { return nil })
	names := make(map[string]string, len(byNetwork))
	for network, t := range byNetwork {
		names[network] = t.Name
	}
	return names, annotate(err, "read the carriers of campaign %s", string(id))
}

// CampaignFields reads a campaign's whole record, by the names that Telnyx uses. Two
// readings show what a change of the campaign has changed besides.
//
// OpenAPI: GET /10dlc/campaign/{campaignId}, GET /10dlc/partner_campaigns/{campaignId}
func (c *Client) CampaignFields(ctx context.Context, campaign Campaign) (map[string]json.RawMessage, error) {
	route := "/10dlc/campaign/{id}"
	if campaign.Shared {
		route = "/10dlc/partner_campaigns/{id}"
	}
	id := campaign.AssignmentID()
	fields, err := callOne(ctx, c, get(route, id), func(map[string]json.RawMessage) error { return nil })
	return fields, annotate(err, "read campaign %s", id)
}
