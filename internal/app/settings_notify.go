package app

import "greenlight/internal/notice"

// Notify is where notices go besides their stream.
type Notify struct {
	URL     string `name:"notify-url" env:"NOTIFY_URL" placeholder:"URL" help:"Where notices go besides the stream NOTICES: slack://…, teams+https://…, discord://…, smtp://… or generic+https://…. A secret: prefer the environment or a file."`
	URLFile string `name:"notify-url-file" env:"NOTIFY_URL_FILE" placeholder:"FILE" help:"File that holds the address for notices."`
}

const fixNotify = "Write it as docs/operations.md shows for your service; before a web address of your own, write generic+. Or leave it out."

// Receiver returns where notices go, nil if nowhere.
func (s Notify) Receiver(faults *Faults) notice.Receiver {
	if s.URL == "" && s.URLFile == "" {
		return nil
	}
	address := secret(faults, "NOTIFY_URL", s.URL, s.URLFile, fixNotify)
	if address == "" {
		return nil
	}
	receiver, err := notice.Open(address)
	if err != nil {
		faults.add("NOTIFY_URL", err.Error(), fixNotify)
		return nil
	}
	return receiver
}
