//go:build !linux

package doctor

// VolumeOf is only supported on Linux.
func VolumeOf(string) (v Volume, known bool, err error) { return Volume{}, false, nil }
