// Package disktest runs the real program on disks that fill up, stall and fail, and with too little of what a machine has. What was
// answered is counted by who sent it, what became of it by SQL: nothing may be lost, and nothing doubled.
package disktest
