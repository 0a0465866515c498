package telnyxsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// profileTasksPath is the route of the bulk POST, under which a task's own
// writes are logged too.
const profileTasksPath = "/10dlc/phoneNumberAssignmentByProfile"

// taskStatus is the status of a bulk task.
type taskStatus string

const (
	taskPending    taskStatus = "pending"
	taskStarting   taskStatus = "starting"
	taskRunning    taskStatus = "running"
	taskProcessing taskStatus = "processing"
	taskCompleted  taskStatus = "completed"
	taskFailed     taskStatus = "failed"
)

// What the list of a task's numbers says of each. Only pending is published, as
// an example; the other two are guesses.
const (
	taskNumberPending   = "pending"
	taskNumberCompleted = "completed"
	taskNumberFailed    = "failed"
)

// profileTask is the work of attaching the numbers of a messaging profile to a
// campaign:
//
//	POST ──▶ pending ──TaskDelay──▶ processing ──TaskDelay──▶ completed
//	                                     │
//	                                     └── [Simulator.FailNextTask] ──▶ failed
//
// With [Quirks].TaskStarting there are starting and, TaskDelay later, running in
// place of processing. Which numbers there are is settled when the work begins:
// on processing, or running.
type profileTask struct {
	id        string
	profileID string
	campaign  *campaign
	status    taskStatus
	// fails says that only the first half of the numbers is looked at.
	fails            bool
	numbers          []*taskNumber
	created, updated time.Time
}

// taskNumber is a number of a task. Its status says what the task did, and does
// not follow what the carriers do afterwards; whether Telnyx's does is not
// documented.
type taskNumber struct{ number, status string }

// assignProfile is POST /10dlc/phoneNumberAssignmentByProfile. It looks at the
// profile and the campaign alone, and answers before any number is looked at.
// No statuses are published for its refusals: those here are guesses, for the
// campaign those of a single POST.
func assignProfile(s *Simulator, c *call) answer {
	var wanted struct {
		MessagingProfileID string `json:"messagingProfileId"`
		CampaignID         string `json:"campaignId"`
		TCRCampaignID      string `json:"tcrCampaignId"`
	}
	if json.Unmarshal(c.body, &wanted) != nil {
		return unreadableBody()
	}
	field, id := "campaignId", wanted.CampaignID
	if wanted.TCRCampaignID != "" {
		field, id = "tcrCampaignId", wanted.TCRCampaignID
	}
	found := s.findCampaign(id)
	if found != nil {
		c.write.CampaignStatus = found.CampaignStatus
	}
	switch {
	case wanted.MessagingProfileID == "":
		return missingField("messagingProfileId")
	case id == "":
		return missingField("campaignId")
	case wanted.CampaignID != "" && wanted.TCRCampaignID != "":
		return badParameter("Give either campaignId or tcrCampaignId", "/tcrCampaignId")
	case !s.profiles[wanted.MessagingProfileID]:
		return notFoundAt("Messaging profile not found", "/messagingProfileId")
	case found == nil, found.Shared != (field == "tcrCampaignId"):
		return notFoundAt("Campaign not found", "/"+field)
	}
	if refused := s.refuseCampaign(found); refused != nil {
		return *refused
	}
	t := s.beginTask(wanted.MessagingProfileID, found)
	c.write.Effective, c.write.TaskID = true, t.id
	return t.accepted()
}

// beginTask makes a task and starts what follows.
func (s *Simulator) beginTask(profileID string, c *campaign) *profileTask {
	now := time.Now()
	t := &profileTask{
		id: newID(), profileID: profileID, campaign: c, status: taskPending, created: now, updated: now,
	}
	if s.failingTasks > 0 {
		s.failingTasks--
		t.fails = true
	}
	s.tasks[t.id] = t
	stages := []taskStatus{taskProcessing}
	if s.options.Quirks.TaskStarting {
		stages = []taskStatus{taskStarting, taskRunning}
	}
	s.advanceTask(t, stages)
	return t
}

// advanceTask takes a task through the stages that are left, with the work at
// the last of them, and then to its end.
func (s *Simulator) advanceTask(t *profileTask, stages []taskStatus) {
	s.work.after(s.options.TaskDelay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.updated = time.Now()
		switch {
		case len(stages) == 0 && t.fails:
			t.status = taskFailed
		case len(stages) == 0:
			t.status = taskCompleted
		default:
			t.status = stages[0]
			if len(stages) == 1 {
				s.workOn(t)
			}
			s.advanceTask(t, stages[1:])
		}
	})
}

// workOn looks at the numbers that are on the task's profile now, in their
// order. A task that fails leaves the second half of them pending.
func (s *Simulator) workOn(t *profileTask) {
	for _, n := range s.numbers {
		if n.MessagingProfileID == t.profileID {
			t.numbers = append(t.numbers, &taskNumber{n.PhoneNumber, taskNumberPending})
		}
	}
	slices.SortFunc(t.numbers, func(a, b *taskNumber) int { return strings.Compare(a.number, b.number) })
	todo := t.numbers
	if t.fails {
		todo = todo[:len(todo)/2]
	}
	for _, n := range todo {
		n.status = s.attachByTask(t, n.number)
	}
}

// attachByTask does what [assign] does with one number, and says what became of
// it. A number that is live on another campaign is moved without a word, as a
// PUT would; what Telnyx does is not documented, and this guess is the one that
// a client must fear most. [Quirks].BulkSkipsConflicts is the other one.
func (s *Simulator) attachByTask(t *profileTask, phoneNumber string) string {
	old := s.records[phoneNumber]
	switch {
	case s.refuseNumber(phoneNumber) != nil, s.refuseCampaign(t.campaign) != nil, s.beingRemoved(phoneNumber):
		return taskNumberFailed
	case old.live() && old.campaign == t.campaign:
		return taskNumberCompleted
	case old.live() && s.options.Quirks.BulkSkipsConflicts:
		return taskNumberFailed
	}
	fate, refused := s.admit(t.campaign)
	if refused != nil {
		return taskNumberFailed
	}
	w := Write{
		Method: http.MethodPost, Path: profileTasksPath, TaskID: t.id, PhoneNumber: phoneNumber,
		CampaignID: t.campaign.assignmentID(), MessagingProfileID: t.profileID,
		CampaignStatus: t.campaign.CampaignStatus, Effective: true,
	}
	w.notePrevious(old)
	s.begin(phoneNumber, t.campaign, fate, s.newLag().or(s.moveLag(old)))
	s.log(w)
	return taskNumberCompleted
}

// getTask is GET /10dlc/phoneNumberAssignmentByProfile/{taskId}. Its times have a
// zone, as in the example at
// https://developers.telnyx.com/api-reference/bulk-phone-number-campaigns/get-assignment-task-status
func getTask(s *Simulator, c *call) answer {
	t := s.tasks[c.params["taskId"]]
	if t == nil {
		return notFound("Task not found")
	}
	return ok(struct {
		TaskID    string     `json:"taskId"`
		Status    taskStatus `json:"status"`
		CreatedAt string     `json:"createdAt"`
		UpdatedAt string     `json:"updatedAt"`
	}{t.id, t.status, t.created.UTC().Format(time.RFC3339Nano), t.updated.UTC().Format(time.RFC3339Nano)})
}

// listTaskNumbers is GET /10dlc/phoneNumberAssignmentByProfile/{taskId}/phoneNumbers.
// Unlike other lists it tells neither its page nor a count, as the OpenAPI
// description has it. A task that has not begun has no numbers.
func listTaskNumbers(s *Simulator, c *call) answer {
	t := s.tasks[c.params["taskId"]]
	if t == nil {
		return notFound("Task not found")
	}
	type row struct {
		TaskID      string `json:"taskId"`
		PhoneNumber string `json:"phoneNumber"`
		Status      string `json:"status"`
	}
	p := s.tendlcPage(c.r.URL.Query(), 20)
	return ok(struct {
		Records []any `json:"records"`
	}{rows(t.numbers, p, func(n *taskNumber) any { return row{t.id, n.number, n.status} })})
}

// accepted is the answer to the POST that began the task. It names the campaign
// by the one id that the request named it by.
func (t *profileTask) accepted() answer {
	told := struct {
		MessagingProfileID string `json:"messagingProfileId"`
		CampaignID         string `json:"campaignId,omitempty"`
		TCRCampaignID      string `json:"tcrCampaignId,omitempty"`
		TaskID             string `json:"taskId"`
	}{MessagingProfileID: t.profileID, CampaignID: t.campaign.ID, TaskID: t.id}
	if t.campaign.Shared {
		told.TCRCampaignID = t.campaign.TCRID
	}
	return jsonAnswer(http.StatusAccepted, told)
}

// FailNextTask makes the next bulk task fail: it attaches the first half of the
// profile's numbers, by number, leaves the others pending, and ends as failed.
// Further calls make further tasks fail.
func (s *Simulator) FailNextTask() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failingTasks++
}
