package main

import (
	"testing"

	"greenlight/internal/app"
	"greenlight/internal/testkit/pagetest"
)

// Every command line of webhook in the documentation is one that it takes, and is run.
func TestDocs_CommandsAreTaken(t *testing.T) {
	pagetest.NewParser(t, commandName, &app.WebhookCommand{}).Check(t, pagetest.Commands(t, pagetest.Pages(t, "../..")), "testdata/script", map[string]string{
		"webhook": "TestWebhook_WaitsForNATS",
	})
}
