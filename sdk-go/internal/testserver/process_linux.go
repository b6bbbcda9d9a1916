package testserver

import "syscall"

// attributes make the server end with the process of the tests, even if that is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
