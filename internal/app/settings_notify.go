package app

import "greenlight/internal/notice"

// Notify is who is told by itself of what people should know.
type Notify struct {
	URL     string `name:"notify-url" env:"NOTIFY_URL" placeholder:"URL" help:"Where notices go besides the stream NOTICES: an address of shoutrrr's, such as slack://…, teams://…, smtp://… (https://shoutrrr.nickfedor.com). A secret: prefer the environment or a file."`
	URLFile string `name:"notify-url-file" env:"NOTIFY_URL_FILE" placeholder:"FILE" help:"File that holds the address for notices."`
}

const mendNotify = "Write it as https://shoutrrr.nickfedor.com tells for your service; before a web address of your own, write generic+. Or leave it out."

// Receiver returns where notices go, nil if nowhere. Open makes one of an address; its
// errors must not tell the address.
func (s Notify) Receiver(faults *Faults, open func(address string) (notice.Receiver, error)) notice.Receiver {
	if s.URL == "" && s.URLFile == "" {
		return nil
	}
	address := secret(faults, "NOTIFY_URL", s.URL, s.URLFile, mendNotify)
	if address == "" {
		return nil
	}
	receiver, err := open(address)
	if err != nil {
		faults.add("NOTIFY_URL", err.Error(), mendNotify)
		return nil
	}
	return receiver
}
