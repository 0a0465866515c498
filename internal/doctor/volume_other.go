//go:build !linux

package doctor

// VolumeOf knows nothing here.
func VolumeOf(string) (v Volume, known bool, err error) { return Volume{}, false, nil }
