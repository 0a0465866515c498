package telnyx

// CampaignID is Telnyx's own id of a campaign, for example
// "751c6a5c-907b-43a9-8ada-ba1dc8335b07". It looks like a UUID, but Telnyx's
// own examples are not always one, so it is opaque: compare it, do not parse it.
type CampaignID string

// TCRCampaignID is The Campaign Registry's id of a campaign, for example "C6X6M95".
// A campaign that another account shares with this one has no other id here.
type TCRCampaignID string
