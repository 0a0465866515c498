package telnyx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// The path is spelled in camel case here, unlike that of single assignments, and
// without its prefix it answers 404
// (https://github.com/team-telnyx/telnyx-node/issues/237).
const (
	profileTasksRoute = "/10dlc/phoneNumberAssignmentByProfile"
	profileTaskRoute  = "/10dlc/phoneNumberAssignmentByProfile/{taskId}"
)

// TaskStatus is the field status of a bulk task, spelled as on the wire. Words
// that are not listed here are kept as told.
type TaskStatus string

// The published values of a task's status. Between pending and the end, the
// OpenAPI description has processing, and the type TaskStatus of Telnyx's Go SDK
// has starting and running instead.
const (
	TaskPending    TaskStatus = "pending"
	TaskProcessing TaskStatus = "processing"
	TaskStarting   TaskStatus = "starting"
	TaskRunning    TaskStatus = "running"
	TaskCompleted  TaskStatus = "completed"
	TaskFailed     TaskStatus = "failed"
)

// Ended reports whether the task will do nothing more: it is completed or
// failed. A word that is not listed, or none, is not the end.
func (s TaskStatus) Ended() bool { return s == TaskCompleted || s == TaskFailed }

// ProfileTask is Telnyx's work of attaching all numbers of a messaging profile
// to a campaign. What became of a number is in its own record
// ([Client.Assignment]); the task may be completed long before the carriers are
// done, and failed after it has attached some.
type ProfileTask struct {
	// TaskID is opaque.
	TaskID string `json:"taskId"`
	// MessagingProfileID and the campaign's id, one of the two, are in the answer
	// to [Client.AssignProfile] alone.
	MessagingProfileID string        `json:"messagingProfileId"`
	CampaignID         CampaignID    `json:"campaignId"`
	TCRCampaignID      TCRCampaignID `json:"tcrCampaignId"`
	// Status, CreatedAt and UpdatedAt are in the answer to [Client.ProfileTask]
	// alone.
	Status    TaskStatus `json:"status"`
	CreatedAt Time       `json:"createdAt"`
	UpdatedAt Time       `json:"updatedAt"`
}

// AssignProfile has Telnyx attach every number that is on a messaging profile to
// a campaign, of which only the ids and Shared are looked at. It returns when
// Telnyx has accepted the order, with the task's id; which numbers it then takes
// is settled later, and nothing says that it spares those of other campaigns. So
// list the profile ([Client.ProfileNumberSettings]) and read each number's record
// first.
//
// https://developers.telnyx.com/api-reference/bulk-phone-number-campaigns/assign-messaging-profile-to-campaign
func (c *Client) AssignProfile(ctx context.Context, profileID string, campaign Campaign) (ProfileTask, error) {
	task, err := c.orderProfile(ctx, profileID, campaign)
	return task, annotate(err, "assign messaging profile %s to campaign %s", profileID, campaign.AssignmentID())
}

// ProfileTask reads how far a task is. [IsNotFound] recognises the error for one
// that Telnyx does not know. How long Telnyx keeps tasks is not published.
//
// https://developers.telnyx.com/api-reference/bulk-phone-number-campaigns/get-assignment-task-status
func (c *Client) ProfileTask(ctx context.Context, taskID string) (ProfileTask, error) {
	task, err := call(ctx, c, get(profileTaskRoute, taskID), func(answer ProfileTask) error {
		return isTask(taskID, answer.TaskID)
	})
	return task, annotate(err, "read bulk task %s", taskID)
}

// orderProfile sends a profile and a campaign. A shared campaign goes by its TCR
// id, any other by Telnyx's; a request with both ids is not allowed.
func (c *Client) orderProfile(ctx context.Context, profileID string, campaign Campaign) (ProfileTask, error) {
	if profileID == "" || campaign.AssignmentID() == "" {
		return ProfileTask{}, ErrInvalidArgument
	}
	wanted := profileOrder{MessagingProfileID: profileID}
	if campaign.Shared {
		wanted.TCRCampaignID = campaign.TCRCampaignID
	} else {
		wanted.CampaignID = campaign.CampaignID
	}
	r := request{method: http.MethodPost, route: profileTasksRoute, body: wanted}
	return call(ctx, c, r, wanted.isAnsweredBy)
}

// profileOrder is the body that begins a task.
type profileOrder struct {
	MessagingProfileID string        `json:"messagingProfileId"`
	CampaignID         CampaignID    `json:"campaignId,omitempty"`
	TCRCampaignID      TCRCampaignID `json:"tcrCampaignId,omitempty"`
}

// isAnsweredBy refuses an answer without a task, and one that is about another
// profile or campaign than was asked for: its task would be followed in place of
// ours. The campaign need not be named, and may be named by its other id too.
func (o profileOrder) isAnsweredBy(t ProfileTask) error {
	switch {
	case t.TaskID == "":
		return errors.New("it has no taskId")
	case t.MessagingProfileID != o.MessagingProfileID:
		return fmt.Errorf("it is about messaging profile %q", oneLine(t.MessagingProfileID, maxIDText))
	case o.CampaignID != "" && t.CampaignID != "":
		return isAbout(string(o.CampaignID), string(t.CampaignID))
	case o.TCRCampaignID != "" && t.TCRCampaignID != "":
		return isAbout(string(o.TCRCampaignID), string(t.TCRCampaignID))
	}
	return nil
}

// isTask refuses an answer about another task than the one that was asked for,
// or about none, such as {}.
func isTask(asked, told string) error {
	if asked != told {
		return fmt.Errorf("it is about task %q", oneLine(told, maxIDText))
	}
	return nil
}
