package telnyxsim

// Operations returns the operations that the simulator serves, in the form of the keys of
// [Simulator.Calls].
func Operations() []string {
	names := make([]string, 0, len(routes))
	for _, rt := range routes {
		names = append(names, rt.name())
	}
	return names
}
