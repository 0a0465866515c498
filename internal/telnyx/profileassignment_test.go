package telnyx

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	profileTasksPath = "/v2/10dlc/phoneNumberAssignmentByProfile"
	profile          = "4001767e-ce0f-4cae-9d5f-0d5e636e7809"
	taskID           = "667a80f8-b0a9-49d0-b9ab-a7a1bcc45086"
)

func TestClient_AssignProfileNamesTheCampaignByTheRightID(t *testing.T) {
	both := Campaign{CampaignID: campaign, TCRCampaignID: "C6X6M95"}
	shared := both
	shared.Shared = true
	for name, tt := range map[string]struct {
		campaign Campaign
		answer   string
		body     string
		want     ProfileTask
	}{
		"own": {
			both, `"campaignId":"` + campaign + `"`, `"campaignId":"` + campaign + `"`,
			ProfileTask{CampaignID: campaign},
		},
		"own, told by both ids": {
			both, `"campaignId":"` + campaign + `","tcrCampaignId":"C6X6M95"`, `"campaignId":"` + campaign + `"`,
			ProfileTask{CampaignID: campaign, TCRCampaignID: "C6X6M95"},
		},
		"shared": {
			shared, `"campaignId":null,"tcrCampaignId":"C6X6M95"`, `"tcrCampaignId":"C6X6M95"`,
			ProfileTask{TCRCampaignID: "C6X6M95"},
		},
		"campaign not told": {
			both, `"tcrCampaignId":""`, `"campaignId":"` + campaign + `"`,
			ProfileTask{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newServer(t, answer{status: 202, body: fmt.Sprintf(
				`{"messagingProfileId":%q,"taskId":%q,%s}`, profile, taskID, tt.answer)})
			got, err := c.AssignProfile(t.Context(), profile, tt.campaign)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.MessagingProfileID, tt.want.TaskID = profile, taskID
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("task (-want +got):\n%s", diff)
			}
			assertSent(t, s, sent{
				Method: "POST", Path: profileTasksPath,
				Body: fmt.Sprintf(`{"messagingProfileId":%q,%s}`, profile, tt.body),
			})
		})
	}
}

func TestClient_AssignProfileRefusesAnAnswerThatIsNotAboutIt(t *testing.T) {
	for name, body := range map[string]string{
		"no task":          `{"messagingProfileId":"` + profile + `","campaignId":"` + campaign + `"}`,
		"a message":        `{"message":"Error searching for phone numbers"}`,
		"another profile":  `{"messagingProfileId":"p","taskId":"t"}`,
		"no profile":       `{"taskId":"t"}`,
		"another campaign": `{"messagingProfileId":"` + profile + `","taskId":"t","campaignId":"b"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newServer(t, answer{status: 202, body: body})
			got, err := c.AssignProfile(t.Context(), profile, Campaign{CampaignID: campaign})
			_, unreadable := errors.AsType[*UnreadableError](err)
			if !unreadable || !EffectUnknown(err) || got != (ProfileTask{}) {
				t.Errorf("got %+v and %v, want an unreadable answer whose effect is unknown", got, err)
			}
			if len(s.requests) != 1 {
				t.Errorf("sent %d times, want once", len(s.requests))
			}
		})
	}
	c, _ := newServer(t, answer{status: 202, body: `{"messagingProfileId":"` + profile + `","taskId":"t","tcrCampaignId":"CELSE01"}`})
	if _, err := c.AssignProfile(t.Context(), profile, Campaign{TCRCampaignID: "C6X6M95", Shared: true}); err == nil {
		t.Error("took the task of another shared campaign")
	}
}

func TestClient_AssignProfileTellsTheBulkError(t *testing.T) {
	c, s := newServer(t, answer{status: 500, body: `{"message":"Error searching for phone numbers"}`})
	_, err := c.AssignProfile(t.Context(), profile, Campaign{CampaignID: campaign})
	want := "assign messaging profile " + profile + " to campaign " + campaign +
		": POST /10dlc/phoneNumberAssignmentByProfile: 500 Internal Server Error: Error searching for phone numbers"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if Judge(err) != Later || !EffectUnknown(err) || len(s.requests) != 1 {
		t.Errorf("sent %d times, verdict %s, effect unknown %t; want once, later, true",
			len(s.requests), Judge(err), EffectUnknown(err))
	}
}

func TestClient_ProfileTaskReadsEveryWord(t *testing.T) {
	for _, status := range []TaskStatus{
		TaskPending, TaskProcessing, TaskStarting, TaskRunning, TaskCompleted, TaskFailed, "PAUSED", "",
	} {
		c, s := newServer(t, ok(fmt.Sprintf(`{"taskId":%q,"status":%q,
			"createdAt":"2023-11-07T05:31:56Z","updatedAt":"2023-11-07T05:31:56.5"}`, taskID, status)))
		got, err := c.ProfileTask(t.Context(), taskID)
		if err != nil {
			t.Fatal(err)
		}
		created := time.Date(2023, 11, 7, 5, 31, 56, 0, time.UTC)
		want := ProfileTask{
			TaskID: taskID, Status: status,
			CreatedAt: Time{created, "2023-11-07T05:31:56Z"},
			UpdatedAt: Time{created.Add(500 * time.Millisecond), "2023-11-07T05:31:56.5"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: task (-want +got):\n%s", status, diff)
		}
		assertSent(t, s, sent{Method: "GET", Path: profileTasksPath + "/" + taskID})
	}
}

func TestClient_ProfileTaskOfAnotherTaskIsUnreadable(t *testing.T) {
	for _, body := range []string{`{}`, `{"taskId":"other","status":"completed"}`} {
		c, _ := newServer(t, ok(body))
		got, err := c.ProfileTask(t.Context(), taskID)
		if _, unreadable := errors.AsType[*UnreadableError](err); !unreadable || got.Status != "" {
			t.Errorf("%s: got %+v and %v, want an unreadable answer", body, got, err)
		}
	}
}

func TestClient_ProfileTaskThatIsUnknownIsNotFound(t *testing.T) {
	c, _ := newServer(t, answer{status: 404, body: `{"errors":[{"code":"10005","title":"Resource not found"}]}`})
	if _, err := c.ProfileTask(t.Context(), taskID); !IsNotFound(err) || !strings.Contains(err.Error(), "read bulk task "+taskID) {
		t.Errorf("got %v, want not found, with the task", err)
	}
}

func TestTaskStatus_EndedIsToldByTwoWordsAlone(t *testing.T) {
	for status, want := range map[TaskStatus]bool{
		TaskPending: false, TaskProcessing: false, TaskStarting: false, TaskRunning: false,
		TaskCompleted: true, TaskFailed: true,
		"": false, "COMPLETED": false, "cancelled": false,
	} {
		if got := status.Ended(); got != want {
			t.Errorf("%q: got %t, want %t", status, got, want)
		}
	}
}
