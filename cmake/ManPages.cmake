# The man pages, from docs/commands, and the completions, from the program itself: made with everything else, and installed. Without lowdown
# there are no man pages.
find_program(LOWDOWN lowdown)
find_program(GZIP gzip)

set(man_pages)
if(LOWDOWN AND GZIP)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/commands/*.md)
  foreach(page IN LISTS pages)
    get_filename_component(name ${page} NAME_WE)
    set(man_page ${CMAKE_BINARY_DIR}/man/${name}.1.gz)
    add_custom_command(OUTPUT ${man_page} DEPENDS ${page} ${CMAKE_SOURCE_DIR}/cmake/man_page.sh ${CMAKE_SOURCE_DIR}/cmake/man_page.awk
      COMMAND ${CMAKE_SOURCE_DIR}/cmake/man_page.sh ${page} ${man_page} ${PROJECT_VERSION} VERBATIM)
    list(APPEND man_pages ${man_page})
  endforeach()
  install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
else()
  message(STATUS "No man pages: they need lowdown and gzip")
endif()

set(completions)
foreach(shell bash zsh fish)
  set(script ${CMAKE_BINARY_DIR}/completions/plimsoll.${shell})
  add_custom_command(OUTPUT ${script} DEPENDS plimsoll_cli
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completions
    COMMAND plimsoll_cli completion ${shell} >${script})
  list(APPEND completions ${script})
endforeach()
add_custom_target(program_pages ALL DEPENDS ${man_pages} ${completions})

set(folder ${CMAKE_BINARY_DIR}/completions)
install(FILES ${folder}/plimsoll.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME plimsoll COMPONENT tools)
install(FILES ${folder}/plimsoll.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT tools)
# zsh has a folder for those of the administrator, and Debian one for those of packages.
install(CODE "
  set(folder site-functions)
  if(CMAKE_INSTALL_PREFIX MATCHES \"/usr$\")
    set(folder vendor-completions)
  endif()
  file(INSTALL \"${folder}/plimsoll.zsh\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\" RENAME _plimsoll)"
  COMPONENT tools)
