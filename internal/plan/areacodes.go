package plan

import "strings"

// The area codes below belong to country code 1 but are not US long codes, as of 2026.
// The authorities are the North American Numbering Plan Administrator,
// https://www.nanpa.com, and for Canada https://www.cnac.ca. A number in an area code
// that is missing here, for example a new one, is accepted. It is caught when Telnyx's
// list of the account shows its type.

// exampleArea is the area code that examples use.
const exampleArea = "555"

// premiumRate is the area code of pay-per-call services.
const premiumRate = "900"

// tollFree holds the toll-free area codes. 822 is reserved as the next one.
var tollFree = places(map[string]string{"toll-free": "800 822 833 844 855 866 877 888"})

// foreignAreaCodes maps area codes outside the US to their place. American Samoa
// (684), Guam (671), the Northern Marianas (670), Puerto Rico (787, 939) and the US
// Virgin Islands (340) are US territories and therefore not listed.
var foreignAreaCodes = places(map[string]string{
	"Canada": "204 226 236 249 250 257 263 289 306 343 354 365 367 368 382 387 " +
		"403 416 418 428 431 437 438 450 468 474 506 514 519 548 579 581 584 587 " +
		"600 604 613 622 633 639 644 647 655 672 677 683 688 705 709 742 753 778 780 782 " +
		"807 819 825 867 873 879 902 905 942",
	"Anguilla":                         "264",
	"Antigua and Barbuda":              "268",
	"the Bahamas":                      "242",
	"Barbados":                         "246",
	"Bermuda":                          "441",
	"the British Virgin Islands":       "284",
	"the Cayman Islands":               "345",
	"Dominica":                         "767",
	"the Dominican Republic":           "809 829 849",
	"Grenada":                          "473",
	"Jamaica":                          "658 876",
	"Montserrat":                       "664",
	"Saint Kitts and Nevis":            "869",
	"Saint Lucia":                      "758",
	"Saint Vincent and the Grenadines": "784",
	"Sint Maarten":                     "721",
	"Trinidad and Tobago":              "868",
	"the Turks and Caicos Islands":     "649",
})

// places inverts a table from place to area codes.
func places(codes map[string]string) map[string]string {
	byCode := map[string]string{}
	for place, list := range codes {
		for code := range strings.FieldsSeq(list) {
			byCode[code] = place
		}
	}
	return byCode
}
