package telemetry

// The keys of log lines. Messages are constant sentences; values have one of these keys.
const (
	// KeyPart is the part of the program that writes the line: webhook, assigner, plans, notices, status, tls, tracing.
	KeyPart = "part"
	// KeyEvent is Telnyx's id of an event.
	KeyEvent = "event_id"
	// KeyType is Telnyx's event_type.
	KeyType = "event_type"
	// KeyAnswer is what the webhook answered: accepted, duplicate, or a refusal's code.
	KeyAnswer = "answer"
	// KeySequence is a message's sequence in the stream EVENTS.
	KeySequence = "sequence"
	// KeyCampaign is the id by which the plan, or an event, names a campaign.
	KeyCampaign = "campaign_id"
	// KeyPlan is the name that the plan gives the campaign.
	KeyPlan = "plan"
	// KeyPlanHash identifies the plan set in use.
	KeyPlanHash = "plan_hash"
	// KeyReported is the plan set that another process reported.
	KeyReported = "reported"
	// KeyCampaigns is how many campaigns the plan set has.
	KeyCampaigns = "campaigns"
	// KeyChanged are the campaigns whose entries have changed; twenty at most.
	KeyChanged = "changed"
	// KeyMissing are the streams, buckets and consumers that are missing on the NATS server.
	KeyMissing = "missing"
	// KeyNumber is a phone number in E.164 form.
	KeyNumber = "number"
	// KeyPhase is a campaign's phase, as in the table of phases.
	KeyPhase = "phase"
	// KeyState is a number's state: planned, attaching, pending, attached, sendable, conflict, failed.
	KeyState = "state"
	// KeyReason is why, as in the table of reasons; for a dead letter, its reason.
	KeyReason = "reason"
	// KeyCause is what caused the reconcile.
	KeyCause = "cause"
	// KeyNotice is the kind of a notice: completed, partial, needs_person, stuck, expires_soon.
	KeyNotice = "notice"
	// KeyResync is the time between two resyncs.
	KeyResync = "resync"
	// KeyAddress is where a listener listens.
	KeyAddress = "address"
	// KeyRemote is the address of an HTTP client.
	KeyRemote = "remote"
	// KeyFolder is the data folder.
	KeyFolder = "folder"
	// KeyPath is the path of a request.
	KeyPath = "path"
	// KeyDetail is Telnyx's message.
	KeyDetail = "detail"
	// KeyBy is who requested a hold: user@host.
	KeyBy = "by"
	// KeyWait is how long until something is tried again.
	KeyWait = "wait"
	// KeyElapsed is a duration in milliseconds.
	KeyElapsed = "elapsed_ms"
	// KeyKeys are the first characters of the public keys in use.
	KeyKeys = "public_keys"
	// KeyCollector is the host that traces are sent to.
	KeyCollector = "collector"
	// KeyHost is the first name in a certificate.
	KeyHost = "host"
	// KeyNotAfter is when a certificate ends.
	KeyNotAfter = "not_after"
	// KeyHandshake is why a connection ended before a request.
	KeyHandshake = "handshake"
	// KeyVersion is the version of Greenlight; devel if it is not a release.
	KeyVersion = "version"
	// KeyCommit is the revision that it was built from.
	KeyCommit = "commit"
	// KeyStack is the stack trace of a panic.
	KeyStack = "stack"
)
